/**
 * Makes a read once more on the other path, when its answer is on its way, and compares. One at a time, and each operation hardly
 * a fiftieth of the time, so that it costs nobody much; what it finds is looked at twice, because the first time something may
 * have been changed in between.
 */
import { type Clock, pause } from "../../../shared/clock.ts";
import type { ConfigBackend } from "../backend.ts";
import type { Mirror } from "./mirror.ts";
import { differentNames } from "./pairing.ts";
import type { PathName } from "./path-samples.ts";
import type { Trouble } from "./two-paths.ts";

type Read = (backend: ConfigBackend) => Promise<unknown>;
type Answered = { path: PathName; operation: string; read: Read; answer: unknown };

export type ShadowPorts = {
  read(path: PathName, operation: string, read: Read): Promise<unknown>;
  mirror: Pick<Mirror, "notice" | "form" | "generation" | "isSettled">;
  trouble(trouble: Trouble): void;
  clock: Clock;
  timer(): number;
};

/** Times what one took that the next one of its operation waits, and how long at least. */
const REST = 50;
const LEAST_REST_MS = 10;
/** What takes longer holds others up (a database in SQLite answers in this thread), and rests for so many times longer. */
const LONG_MS = 200;
const LONG_REST = 20;
/** Servers that are named where answers differ. */
const NAMED = 3;

export class Shadow {
  reads = 0;
  differences = 0;
  readonly #ports: ShadowPorts;
  #isBusy = false;
  /** When each operation's next one may be. */
  readonly #nextAtMs = new Map<string, number>();

  constructor(ports: ShadowPorts) {
    this.#ports = ports;
  }

  /** Never throws and never waits. */
  offer(answered: Answered): void {
    const { mirror, timer } = this.#ports;
    if (this.#isBusy || timer() < (this.#nextAtMs.get(answered.operation) ?? 0)) return;
    this.#isBusy = true;
    const work = mirror.isSettled ? this.#compare(answered) : mirror.notice();
    // A path that fails has been counted; the one that asked has its answer.
    void work
      .catch(() => {})
      .finally(() => {
        this.#isBusy = false;
      });
  }

  async #compare({ path, operation, read, answer }: Answered): Promise<void> {
    const { mirror, clock, timer } = this.#ports;
    const { generation } = mirror;
    await pause(clock, 0);
    const startedMs = timer();
    try {
      const other = await this.#ports.read(path === "old" ? "new" : "old", operation, read);
      if (!this.#isStill(generation)) return;
      this.reads++;
      const [old, store] = path === "old" ? [answer, other] : [other, answer];
      if (differentNames(old, store, mirror.form).length > 0) await this.#again(operation, read, generation);
    } finally {
      this.#nextAtMs.set(operation, timer() + restAfterMs(timer() - startedMs));
    }
  }

  async #again(operation: string, read: Read, generation: number): Promise<void> {
    const old = await this.#ports.read("old", operation, read);
    const store = await this.#ports.read("new", operation, read);
    const names = differentNames(old, store, this.#ports.mirror.form);
    if (names.length === 0 || !this.#isStill(generation)) return;
    this.differences++;
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
    this.#ports.trouble({
      kind: "different",
      what: `the two paths say different things of ${names.sort().slice(0, NAMED).join(", ")}${more}`,
    });
  }

  #isStill = (generation: number): boolean =>
    this.#ports.mirror.isSettled && this.#ports.mirror.generation === generation;
}

const restAfterMs = (tookMs: number): number =>
  Math.max(LEAST_REST_MS, REST * tookMs * (tookMs > LONG_MS ? LONG_REST : 1));
