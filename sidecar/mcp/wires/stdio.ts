import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { LIMITS } from "../../../shared/limits.ts";
import type { Logger } from "../../log.ts";
import { endGroup } from "../../swarm/process/end.ts";
import type { OpenWire, Wire, WireEvents } from "../wire.ts";
import { messageLines } from "./message-lines.ts";
import { endProcess } from "./process-end.ts";

export type StdioOptions = {
  /** The server's name, for the log. */
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd?: string | undefined;
  log: Logger;
};

/** All that a server gets of our own environment, which holds our secrets. */
const PASSED_ON = ["PATH", "HOME", "LANG"];

/** A process of this host, in a group of its own: a message a line on its standard input and output. */
export function stdioWire(options: StdioOptions): OpenWire {
  const { command, args, cwd, env } = options;
  return async (events, signal) => {
    signal.throwIfAborted();
    const child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...passedOn(), ...env },
      detached: true,
      stdio: "pipe",
    });
    // Where no descriptors are left, what was not started has no streams either.
    await started(child);
    // It may end while it is written to or read; its exit says so.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {});
    return wireOf(child, events, signal, options);
  };
}

/** What the system says holds all arguments, and there may be secrets among them. */
async function started(child: ChildProcess): Promise<void> {
  try {
    await once(child, "spawn");
    child.on("error", () => {});
  } catch (thrown) {
    const why = thrown instanceof Error && "code" in thrown ? thrown.code : "for an unknown reason";
    throw new Error(`the server's process cannot be started: ${why}`);
  }
}

function wireOf(
  child: ChildProcessWithoutNullStreams,
  { onMessage, onClose }: WireEvents,
  signal: AbortSignal,
  { name, log }: StdioOptions,
): Wire {
  const exited = once(child, "exit");
  let ended: Promise<void> | null = null;
  let lastWords: NodeJS.Timeout | undefined;
  const finish = async (): Promise<void> => {
    clearTimeout(lastWords);
    signal.removeEventListener("abort", stop);
    await endProcess({
      endInput: () => child.stdin.end(),
      exited,
      end: (graceMs) => endGroup(child.pid ?? 0, graceMs),
    });
    child.stdout.destroy();
    child.stderr.destroy();
  };
  /** The wire is over at once: nobody should wait while a process that hangs is being ended. */
  const end = (cause: Error | null): Promise<void> => {
    if (ended) return ended;
    ended = finish();
    onClose(cause);
    return ended;
  };
  const stop = () => void end(null);
  const over = () =>
    void end(
      new Error(`the server's process is over: ${howItEnded(child) ?? "it does not listen any more"}`),
    );
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();

  child.stdout.on(
    "data",
    messageLines({ onMessage, wanted: () => !ended, tooLong: (error) => void end(error) }),
  );
  child.stdout.on("end", over);
  child.stderr.on("data", (chunk: Buffer) => {
    const said = chunk.toString().slice(0, LIMITS.mcpNoiseChars);
    log.debug({ server: name, said }, "the MCP server's process writes");
  });
  // What it said last may still have to be read; its output does not end while it, or a child of its own, holds it.
  const soonOver = () => {
    if (!ended) lastWords ??= setTimeout(over, LIMITS.mcpEndGraceMs);
  };
  child.on("exit", soonOver);
  child.stdin.on("close", soonOver);

  return {
    get isOpen() {
      return ended === null && howItEnded(child) === null && child.stdin.writable;
    },
    get unsentBytes() {
      return child.stdin.writableLength;
    },
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    close: () => end(null),
  };
}

/** Its exit code, or the signal that ended it; null while it runs. */
const howItEnded = ({ exitCode, signalCode }: ChildProcess): number | string | null => exitCode ?? signalCode;

const passedOn = (): Record<string, string> =>
  Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
