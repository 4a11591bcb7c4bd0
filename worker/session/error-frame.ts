import type { HivegateError } from "../../shared/errors.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";

export const errorFrame = (error: HivegateError, nowMs: number): GatewayFrame & { type: "error" } => ({
  type: "error",
  ...error.toBody(),
  timestamp: nowMs,
});
