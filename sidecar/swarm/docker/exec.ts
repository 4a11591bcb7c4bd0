/** One `docker exec`, seen through the API: its output as it comes, and how it ended. */
import { setTimeout as sleep } from "node:timers/promises";
import type Dockerode from "dockerode";
import { LIMITS } from "../../../shared/limits.ts";
import type { Exit, OutputSink } from "../executor.ts";
import { Demultiplexer, MalformedStream } from "./demux.ts";
import { isNotFound } from "./docker-error.ts";

const SLOWEST_POLL_MS = 500;
/** How long Docker may take to tell an exec's state; then it is asked anew, or counts as not answering. */
const ASK_LIMIT_MS = 10_000;
/**
 * Docker takes a start before it says that the exec runs, a few milliseconds as a rule. One that has not
 * started after this never will.
 */
const START_LIMIT_MS = 3_000;
const START_POLL_MS = 50;

export type ExecState = { status: "unstarted" } | { status: "running" } | { status: "ended"; exit: Exit };

/** `broken`: the connection broke, or what came made no sense, before Docker had sent all. */
export type OutputEnd = "whole" | "broken";

/** What is known of an exec that this process did not start. @throws what dockerode throws */
export async function foundState(exec: Dockerode.Exec, closed: AbortSignal): Promise<ExecState> {
  for (let waitedMs = 0; ; waitedMs += START_POLL_MS) {
    const state = await stateOf(exec, closed);
    if (state.status !== "unstarted" || waitedMs >= START_LIMIT_MS) return state;
    await sleep(START_POLL_MS);
  }
}

/** What Docker says about the exec now; one that it has forgotten ended without anybody seeing how. */
async function stateOf(exec: Dockerode.Exec, closed: AbortSignal): Promise<ExecState> {
  const abortSignal = AbortSignal.any([closed, AbortSignal.timeout(ASK_LIMIT_MS)]);
  try {
    const { Running, ExitCode } = await exec.inspect({ abortSignal });
    if (Running) return { status: "running" };
    return ExitCode === null ? { status: "unstarted" } : { status: "ended", exit: { exitCode: ExitCode } };
  } catch (thrown) {
    if (isNotFound(thrown)) return { status: "ended", exit: { exitCode: null } };
    throw thrown;
  }
}

/**
 * Waits until the exec is over, or until `limitMs` have passed: then null. Docker ends an exec's output before
 * it knows the exit code, so the first looks come quickly. While Docker does not answer the exec may run on:
 * it is asked again. Never settles once `closed`.
 */
export async function exitOf(
  exec: Dockerode.Exec,
  closed: AbortSignal,
  limitMs: number = LIMITS.taskRunMs,
): Promise<Exit | null> {
  const sinceMs = performance.now();
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, SLOWEST_POLL_MS)) {
    const state = await stateOf(exec, closed).catch(() => null);
    if (closed.aborted) return new Promise(() => {});
    if (state?.status === "ended") return state.exit;
    const waitedMs = performance.now() - sinceMs;
    if (waitedMs > limitMs || (state?.status === "unstarted" && waitedMs > START_LIMIT_MS)) return null;
    await sleep(pauseMs, undefined, { signal: closed }).catch(() => {});
  }
}

/**
 * Starts the exec. Resolves when Docker has taken it; `output` resolves when all output has been given to the
 * sink, or no more can be had (the connection broke, or what came made no sense: then the sink is told).
 */
export async function startExec(
  exec: Dockerode.Exec,
  sink: OutputSink,
  signals: { start: AbortSignal; closed: AbortSignal },
): Promise<{ output: Promise<OutputEnd> }> {
  const stream = await exec.start({ hijack: true, stdin: false, abortSignal: signals.start });
  const { promise: output, resolve } = Promise.withResolvers<OutputEnd>();
  const demultiplexer = new Demultiplexer(sink);
  const letGo = () => stream.destroy();
  signals.closed.addEventListener("abort", letGo, { once: true });
  stream.on("data", (chunk: Buffer) => {
    try {
      demultiplexer.push(chunk);
    } catch (thrown) {
      if (!(thrown instanceof MalformedStream)) throw thrown;
      sink("stderr", `[hivegate] ${thrown.message}. The rest of the output is lost.\n`);
      stream.destroy();
    }
  });
  // "close" follows an error, and then the exec itself is asked how it ended.
  stream.on("error", () => {});
  stream.on("close", () => {
    signals.closed.removeEventListener("abort", letGo);
    if (!signals.closed.aborted) demultiplexer.end();
    resolve(stream.readableEnded ? "whole" : "broken");
  });
  return { output };
}
