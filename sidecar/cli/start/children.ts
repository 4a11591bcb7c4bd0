/** The processes that `npm start` runs: started in order, stopped in reverse, none left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";

/** What ends `npm start` with one line and exit code 1. */
export class StartError extends Error {}

export type ChildSpec = {
  name: string;
  argv: readonly string[];
  env: Record<string, string | undefined>;
  /** Whether this line of its output says that it is ready. */
  isReady(line: string): boolean;
};

type Child = { name: string; process: ChildProcess; exited: Promise<void> };

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;
/** Lines of output kept to explain why a process ended. */
const LINES_KEPT = 15;

export class Children {
  readonly #children: Child[] = [];
  readonly #onDeath: (message: string) => void;
  #stopping = false;

  /** `onDeath` is called when a process ends that should have gone on. */
  constructor(onDeath: (message: string) => void) {
    this.#onDeath = onDeath;
  }

  /**
   * Starts a process and waits until it says that it is ready. Answers with the line that said so.
   * @throws StartError with the last thing that it said
   */
  async start(spec: ChildSpec): Promise<string> {
    const [command = "", ...args] = spec.argv;
    // A process group of its own: Ctrl-C reaches us alone, and we end the others in order.
    const child = spawn(command, args, { env: spec.env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const last: string[] = [];
    const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const ready = new Promise<string>((resolve, reject) => {
      const fail = (what: string) => reject(new StartError(`${spec.name} ${what}${explain(last)}`));
      child.once("error", (error) => fail(`could not be started: ${error.message}`));
      void exited.then(() => fail("ended"));
      setTimeout(() => fail("was not ready in time"), READY_WITHIN_MS).unref();
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          last.push(line);
          if (last.length > LINES_KEPT) last.shift();
          if (spec.isReady(line)) resolve(line);
        });
      }
    });
    this.#children.push({ name: spec.name, process: child, exited });
    const line = await ready;
    void exited.then(() => {
      if (!this.#stopping) this.#onDeath(`${spec.name} ended${explain(last)}`);
    });
    return line;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children.splice(0).reverse()) {
      signalGroup(child.process, "SIGTERM");
      const timer = setTimeout(() => signalGroup(child.process, "SIGKILL"), STOP_WITHIN_MS);
      await child.exited;
      clearTimeout(timer);
    }
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Every process of the group has ended.
  }
}

/** The line that tells the most: the last one marked as an error, else the last. */
const explain = (lines: string[]): string => {
  const said = lines.map((line) => stripVTControlCharacters(line).trim()).filter((line) => line !== "");
  const line = said.findLast((each) => each.includes("[ERROR]")) ?? said.at(-1);
  return line === undefined ? "" : `: ${line}`;
};
