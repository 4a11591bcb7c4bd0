import { createLogger, type Logger } from "../../sidecar/log.ts";

/** A real logger whose lines stay in memory. */
export function recordingLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", destination: { write: (line) => void lines.push(line) } });
  return { log, lines };
}
