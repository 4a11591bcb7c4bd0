import type { Logger } from "./log.ts";

/**
 * A promise that was rejected and that nobody caught is a bug, and some request of it got no answer. It ends that
 * request, not the process: tasks and all other clients' calls go on, and the log says what happened.
 */
export function liveOn(log: Logger): void {
  process.on("unhandledRejection", (err) => log.error({ err }, "a bug: nobody caught this error"));
}
