import type Dockerode from "dockerode";
import { type Clock, pause } from "../../../shared/clock.ts";
import { type Backoff, backoffMs } from "../../../shared/pressure/backoff.ts";
import type { ContainerFigures } from "../../../shared/protocol/sidecar.ts";
import { LineSplitter } from "../../../shared/wire/lines.ts";
import type { Logger } from "../../log.ts";
import { DockerStats, figuresOf, isNews } from "./container-figures.ts";

/**
 * Tells what a container uses, until it is stopped by the function that it returns: about once a second, and
 * only what differs from before. Null: there is no such container now, or nobody knows.
 */
export type WatchContainer = (tell: (figures: ContainerFigures | null) => void) => () => void;

/** Where there is no container: it never tells anything. */
export const watchNothing: WatchContainer = () => () => {};

type FollowOptions = {
  container: string;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Logger;
};

export type StatsOptions = FollowOptions & {
  docker: Dockerode;
  /** A container that is not among these is not looked at. */
  allowed: readonly string[];
};

/** Opens the stream of statistics. It ends when `signal` is aborted, with an error. */
type OpenStats = (signal: AbortSignal) => Promise<AsyncIterable<string | Uint8Array>>;

const REOPEN: Backoff = { firstMs: 500, mostMs: 15_000 };
/** Docker says something every second, even of a container that does not run. */
const SILENCE_MS = 10_000;
/** One line is about 2 KB, some more with many cores and networks; a longer one ends the stream. */
const LINE_BYTES = 256 * 1024;

/** Docker's statistics of one container. */
export function watchStats({ docker, allowed, ...options }: StatsOptions): WatchContainer {
  const { container, log } = options;
  if (!allowed.includes(container)) {
    log.warn({ container }, "the container is not on the allow list: what it uses is not shown");
    return watchNothing;
  }
  return watchStream((abortSignal) => {
    const query = { stream: true as const, abortSignal };
    return docker.getContainer(container).stats(query);
  }, options);
}

/** A stream of statistics, which is opened anew whenever it ends. */
export const watchStream =
  (open: OpenStats, options: FollowOptions): WatchContainer =>
  (tell) => {
    const stopped = new AbortController();
    void follow(open, options, tell, stopped.signal);
    return () => stopped.abort();
  };

async function follow(
  open: OpenStats,
  options: FollowOptions,
  tell: (figures: ContainerFigures | null) => void,
  stopped: AbortSignal,
): Promise<void> {
  const { container, clock, random, log } = options;
  let told: ContainerFigures | null = null;
  let failures = 0;
  const say = (figures: ContainerFigures | null) => {
    if (stopped.aborted || !isNews(told, figures)) return;
    told = figures;
    tell(figures);
  };
  const heard = (figures: ContainerFigures | null) => {
    failures = 0;
    say(figures);
  };
  while (!stopped.aborted) {
    const err: unknown = await readStats(open, options, heard, stopped).catch((thrown: unknown) => thrown);
    say(null);
    if (stopped.aborted) return;
    log[failures === 0 ? "info" : "debug"](
      { container, err },
      "Docker tells no more of what the container uses",
    );
    await pause(clock, backoffMs(REOPEN, failures++, random()), stopped);
  }
}

/** Resolves when the stream ends. @throws what dockerode or the stream throws, silence included */
async function readStats(
  open: OpenStats,
  { container, clock }: FollowOptions,
  heard: (figures: ContainerFigures | null) => void,
  stopped: AbortSignal,
): Promise<void> {
  const silent = new AbortController();
  const listen = () => clock.after(SILENCE_MS, () => silent.abort(new Error("Docker went silent")));
  let hush = listen();
  try {
    const stream = await open(AbortSignal.any([stopped, silent.signal]));
    const splitter = new LineSplitter(LINE_BYTES);
    for await (const chunk of stream) {
      hush();
      hush = listen();
      for (const line of splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk)) {
        heard(figuresOf(DockerStats.parse(JSON.parse(line)), container));
      }
    }
  } finally {
    hush();
  }
}
