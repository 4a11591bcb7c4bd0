/** How severe log messages are, as MCP orders them. */
import type { Notification } from "../../json-rpc-session.ts";
import { LOG_MESSAGE } from "../revisions.ts";

const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export const isLogLevel = (level: unknown): level is string =>
  typeof level === "string" && LEVELS.includes(level);

/** Whether a client that wants messages from `wanted` on hears this. Anything but a log message everybody hears. */
export function isWanted({ method, params }: Notification, wanted: string | null): boolean {
  if (method !== LOG_MESSAGE) return true;
  if (wanted === null) return false;
  // A level that nobody knows is not held back.
  return !isLogLevel(params.level) || LEVELS.indexOf(params.level) >= LEVELS.indexOf(wanted);
}

/** Whether `level` lets more through than `than`. */
export const isLower = (level: string, than: string | null): boolean =>
  than === null || LEVELS.indexOf(level) < LEVELS.indexOf(than);
