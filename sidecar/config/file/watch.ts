/**
 * Watches one file by its folder, and by those of the links that lead to it: editors put a new file in the old one's place,
 * Kubernetes turns a link round, and whoever watched the file itself would go on watching what is no longer there.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Clock } from "../../../shared/clock.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Logger } from "../../log.ts";
import { withinMs } from "../../swarm/tasks-deadline.ts";
import { type ConfigRead, codeOf, isSameRead, NO_ANSWER, readConfigFile } from "./read.ts";
import { type Trail, trailOf } from "./trail.ts";

export type ConfigWatchOptions = {
  /** Hears what is there, at the start and whenever it differs from what was heard before. */
  onRead(read: ConfigRead): void;
  /** Whether a text may be taken for a whole file. One that may not is looked at once more before it is told. */
  isWhole(text: string): boolean;
  log: Logger;
  clock: Clock;
};

export class ConfigWatch {
  readonly #path: string;
  readonly #options: ConfigWatchOptions;
  /** What the watcher that is at work watches, as `trailOf` said. */
  #trail: Trail | null = null;
  #watcher: FSWatcher | null = null;
  #heard: ConfigRead | null = null;
  /** As it was before it was read last. */
  #stamp = "";
  /** Since when something has changed that was not read yet; null: nothing has. */
  #restlessSinceMs: number | null = null;
  #cancelLook: () => void = () => {};
  #cancelPoll: () => void = () => {};
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(path: string, options: ConfigWatchOptions) {
    this.#path = path;
    this.#options = options;
    this.#restlessSinceMs = options.clock.now() - LIMITS.configMostSettleMs;
    this.#look();
    this.#pollLater();
  }

  /** Resolves when nothing is watched or read any more, but for a read that is stuck; nobody hears anything from now on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook();
    this.#cancelPoll();
    await withinMs(this.#looking, LIMITS.configReadMs, undefined);
    await this.#watcher?.close();
  }

  #touched(): void {
    const { clock } = this.#options;
    this.#restlessSinceMs ??= clock.now();
    this.#lookIn(Math.min(LIMITS.configSettleMs, this.#leftMs(this.#restlessSinceMs)));
  }

  /** How long what changed since then may still be left to settle. */
  #leftMs(sinceMs: number): number {
    return Math.max(0, sinceMs + LIMITS.configMostSettleMs - this.#options.clock.now());
  }

  #lookIn(delayMs: number): void {
    this.#cancelLook();
    if (!this.#isClosed) this.#cancelLook = this.#options.clock.after(delayMs, () => this.#look());
  }

  /** One look after the other. */
  #look(): void {
    this.#looking = this.#looking
      .then(() => this.#lookNow())
      .catch((err: unknown) => this.#options.log.error({ err }, "the configuration file was not taken over"));
  }

  async #lookNow(): Promise<void> {
    const sinceMs = this.#restlessSinceMs;
    if (this.#isClosed || sinceMs === null) return;
    // Whatever changes from here on is a change again.
    this.#restlessSinceMs = null;
    const cancelLate = this.#options.clock.after(LIMITS.configReadMs, () => this.#tell(NO_ANSWER));
    const read = await this.#read().finally(cancelLate);
    if (this.#isClosed || isSameRead(read, this.#heard)) return;
    const leftMs = this.#leftMs(sinceMs);
    if (leftMs > 0 && !this.#isWhole(read)) {
      // Unless something changed meanwhile, which is looked at sooner.
      if (this.#restlessSinceMs === null) this.#lookIn(leftMs);
      this.#restlessSinceMs = sinceMs;
      return;
    }
    this.#tell(read);
  }

  async #read(): Promise<ConfigRead> {
    await this.#follow();
    this.#stamp = await stampOf(this.#path);
    return readConfigFile(this.#path);
  }

  #tell(read: ConfigRead): void {
    if (this.#isClosed) return;
    this.#heard = read;
    this.#options.onRead(read);
  }

  #isWhole(read: ConfigRead): boolean {
    return read.state === "text" && this.#options.isWhole(read.text);
  }

  /** Watches the way to the file as it is now. Whoever reads afterwards misses no change. */
  async #follow(): Promise<void> {
    const trail = await trailOf(this.#path);
    if (isSame(trail, this.#trail)) return;
    const old = this.#watcher;
    this.#trail = trail;
    this.#watcher = await this.#watching(trail);
    await old?.close();
    // The way may have changed while that one began.
    if (!isSame(trail, await trailOf(this.#path))) this.#touched();
  }

  #watching({ names, folders }: Trail): Promise<FSWatcher> {
    const paths = folders.map(({ path }) => path);
    const known = new Set([...names, ...paths]);
    const watcher = watch(paths, {
      ...{ depth: 0, followSymlinks: false, ignoreInitial: true, atomic: false },
      ignored: (path) => !known.has(path),
    });
    watcher.on("all", () => this.#touched());
    // Of a folder that is replaced at once by one of its name nothing may come of what the system told.
    const basenames = new Set(Array.from(known, (path) => basename(path)));
    watcher.on("raw", (_event, path) => {
      if (basenames.has(basename(String(path)))) this.#touched();
    });
    watcher.on("error", (thrown) =>
      this.#options.log.warn(
        { code: codeOf(thrown), everyMs: LIMITS.configPollMs },
        "the configuration file cannot be watched; it is looked at from time to time",
      ),
    );
    return new Promise((resolve) => {
      const done = () => {
        giveUp();
        resolve(watcher);
      };
      const giveUp = this.#options.clock.after(LIMITS.configMostSettleMs, done);
      watcher.once("ready", done);
    });
  }

  #pollLater(): void {
    this.#cancelPoll = this.#options.clock.after(LIMITS.configPollMs, async () => {
      if ((await stampOf(this.#path)) !== this.#stamp) this.#touched();
      if (!this.#isClosed) this.#pollLater();
    });
  }
}

/** What changes with a file's content, or with what the path leads to. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (thrown) {
    return codeOf(thrown);
  }
}

const isSame = <T>(a: T, b: T): boolean => JSON.stringify(a) === JSON.stringify(b);
