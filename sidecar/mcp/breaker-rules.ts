import { BREAKER_RULES, type BreakerRules } from "../../shared/pressure/breaker.ts";

/** As `Config.breaker` says it. */
export type BreakerConfig = { failureThreshold: number; timeoutMs: number; retryDelayMs: number };

/** The rules for one MCP server's circuit breaker. */
export const breakerRules = ({ failureThreshold, timeoutMs, retryDelayMs }: BreakerConfig): BreakerRules => ({
  ...BREAKER_RULES,
  failuresInARow: failureThreshold,
  // Whoever bears more failures in a row bears them as a share of the outcomes as well.
  leastOutcomes: Math.max(BREAKER_RULES.leastOutcomes, failureThreshold),
  firstMs: retryDelayMs,
  mostMs: timeoutMs,
});
