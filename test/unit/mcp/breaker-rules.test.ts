import { describe, expect, it } from "vitest";
import { breakerRules } from "../../../sidecar/mcp/breaker-rules.ts";

describe("the rules of an MCP server's circuit breaker", () => {
  it("S4 are those of the configuration", () => {
    expect(breakerRules({ failureThreshold: 3, timeoutMs: 60_000, retryDelayMs: 1_000 })).toMatchObject({
      ...{ failuresInARow: 3, leastOutcomes: 5, firstMs: 1_000, mostMs: 60_000 },
    });
  });

  it("S4 bear a share of failures as long as so many in a row", () => {
    const rules = breakerRules({ failureThreshold: 50, timeoutMs: 60_000, retryDelayMs: 1_000 });
    expect(rules).toMatchObject({ failuresInARow: 50, leastOutcomes: 50 });
  });
});
