/**
 * Reads configurations on the older path or the newer one, whichever the client is on, and now and then on both, to compare. A
 * path that fails is answered for by the other one: no client sees the migration.
 */
import type { Clock } from "../../../shared/clock.ts";
import { isInRollout } from "../../../shared/config/rollout.ts";
import { asHivegateError, HivegateError, isOurFault } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Logger } from "../../log.ts";
import { within } from "../../mcp/within.ts";
import { isUnwritable } from "../../sqlite/transaction.ts";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEdit } from "../entry.ts";
import type { ConfigRouter } from "../router.ts";
import type { Mirror } from "./mirror.ts";
import type { PathName, PathSamples } from "./path-samples.ts";
import { Shadow } from "./shadow.ts";

/** Something is wrong with the newer path, for certain. `what` is told to people; equal ones have equal words. */
export type Trouble = { kind: "different" | "store_failing"; what: string };

export type TwoPathsPorts = {
  mode: "safe" | "full" | "rollback";
  /** @throws HivegateError `overloaded` while it is away, `timeout` */
  readOld<T>(read: (backend: ConfigBackend) => Promise<T>, withinMs: number): Promise<T>;
  store: ConfigBackend;
  mirror: Pick<Mirror, "write" | "notice" | "form" | "generation" | "isSettled" | "isBehind">;
  /** How many of the clients read the newer system now. */
  percent(): number;
  samples: PathSamples;
  trouble(trouble: Trouble): void;
  clock: Clock;
  /** Milliseconds of some clock that only goes forward, and knows parts of them. */
  timer(): number;
  log: Pick<Logger, "warn">;
};

/** So many failures of the store in a row need no comparison. */
const STORE_FAILURES = 3;

export class TwoPaths implements ConfigRouter {
  readonly #ports: TwoPathsPorts;
  readonly shadow: Shadow;
  #failuresInRow = 0;

  constructor(ports: TwoPathsPorts) {
    this.#ports = ports;
    const { mirror, clock, timer, trouble } = ports;
    this.shadow = new Shadow({
      read: (path, operation, read) => this.#timed(path, operation, read),
      ...{ mirror, clock, timer, trouble },
    });
  }

  async read<T>(client: string, operation: string, read: (backend: ConfigBackend) => Promise<T>): Promise<T> {
    const path = this.#pathOf(client);
    try {
      const answer = await this.#timed(path, operation, read);
      if (this.#ports.mode !== "rollback") this.shadow.offer({ path, operation, read, answer });
      return answer;
    } catch (thrown) {
      if (!isOurFault(asHivegateError(thrown)) || !this.#canChange(path)) throw thrown;
      this.#ports.log.warn(
        { err: thrown, path, operation },
        "a read failed, and is answered on the other path",
      );
      return await this.#timed(otherThan(path), operation, read);
    }
  }

  async write(edits: readonly ConfigEdit[], storeWrite: () => number): Promise<number> {
    return await this.#ports.mirror.write(edits, () => {
      try {
        return storeWrite();
      } catch (thrown) {
        if (isStoresFault(asHivegateError(thrown))) this.#storeFails("it could not be written");
        throw thrown;
      }
    });
  }

  /** The older database is not read before it has everything. */
  #pathOf(client: string): PathName {
    if (this.#ports.mirror.isBehind) return "new";
    return isInRollout(client, this.#ports.percent()) ? "new" : "old";
  }

  #canChange(path: PathName): boolean {
    return path === "old" ? this.#ports.mode !== "rollback" : !this.#ports.mirror.isBehind;
  }

  /** What a client did wrong (an error of 4xx) is an answer like any other. */
  async #timed<T>(
    path: PathName,
    operation: string,
    read: (backend: ConfigBackend) => Promise<T>,
  ): Promise<T> {
    const { samples, clock, timer, store, readOld } = this.#ports;
    const startedMs = timer();
    const done = (failed: boolean) => {
      samples.add(path, operation, { atMs: clock.now(), durationMs: timer() - startedMs, failed });
      if (path === "new") this.#failuresInRow = failed ? this.#failuresInRow + 1 : 0;
    };
    try {
      const answer =
        path === "old"
          ? await readOld(read, LIMITS.pathReadMs)
          : await within(read(store), LIMITS.pathReadMs, () => new HivegateError("timeout"));
      done(false);
      return answer;
    } catch (thrown) {
      done(isOurFault(asHivegateError(thrown)));
      if (this.#failuresInRow >= STORE_FAILURES) this.#storeFails("it cannot be read");
      throw thrown;
    }
  }

  #storeFails(how: string): void {
    this.#ports.trouble({ kind: "store_failing", what: `the newer database fails: ${how}` });
  }
}

/** Not that somebody else is writing it, which is `overloaded` as well. */
const isStoresFault = ({ code, cause }: HivegateError): boolean => code === "internal" || isUnwritable(cause);

const otherThan = (path: PathName): PathName => (path === "old" ? "new" : "old");
