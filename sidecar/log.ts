/** The sidecar's log: JSON lines on stdout. */
import { type DestinationStream, pino } from "pino";

export type Logger = Pick<import("pino").Logger, "info" | "warn" | "error" | "debug">;

/** Fields whose value never reaches the log, wherever they stand in the first three levels of an entry. */
const SECRET_FIELDS = [
  "token",
  "authorization",
  "Authorization",
  "signature",
  "secret",
  "password",
  "apiKey",
] as const;
const DEPTHS = ["", "*.", "*.*."];

/** `destination` is stdout unless given. Log what was thrown as `{ err }`: its causes are written too. */
export function createLogger(options: { level: string; destination?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: null,
    redact: { paths: DEPTHS.flatMap((depth) => SECRET_FIELDS.map((field) => depth + field)) },
  };
  return options.destination ? pino(settings, options.destination) : pino(settings);
}
