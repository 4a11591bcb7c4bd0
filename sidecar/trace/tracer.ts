import { randomBytes, randomUUID } from "node:crypto";
import { pause, platformClock } from "../../shared/clock.ts";
import type { TraceSettings } from "../../shared/trace/settings.ts";
import { Tracer } from "../../shared/trace/tracer.ts";
import type { Logger } from "../log.ts";

export const createTracer = (settings: TraceSettings, version: string, log: Logger): Tracer =>
  new Tracer({
    settings,
    resource: { service: "hivegate-sidecar", version },
    fetch,
    randomHex: (bytes) => randomBytes(bytes).toString("hex"),
    pause: (delayMs) => pause(platformClock, delayMs),
    now: Date.now,
    uuid: randomUUID,
    log: (message, error) => log.warn({ err: error }, message),
  });
