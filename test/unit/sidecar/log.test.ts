import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { recordingLog } from "../../support/recording-log.ts";

describe("the log", () => {
  it("S8 secrets are left out, wherever they stand in an entry", () => {
    const { log, lines } = recordingLog();
    log.info({ token: "hush", server: "main" }, "connected");
    log.warn({ headers: { authorization: "Bearer hush", signature: "hush" } }, "refused");
    log.error({ request: { headers: { Authorization: "hush" } }, config: { secret: "hush" } }, "failed");
    expect(lines.join()).not.toContain("hush");
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["connected", "refused", "failed"]);
    expect(lines[0]).toContain('"server":"main"');
  });

  it("T8 what a client is not told is written down: the cause of an error", () => {
    const { log, lines } = recordingLog();
    const cause = new Error("connect ECONNREFUSED 10.0.0.7:9500");
    log.warn({ err: new HivegateError("mcp_unavailable", undefined, { cause }) }, "no telemetry");
    expect(lines.join()).toContain("10.0.0.7:9500");
  });
});
