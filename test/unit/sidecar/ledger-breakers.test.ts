import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import { recordingLog } from "../../support/recording-log.ts";

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "hivegate-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("the circuit breakers in the ledger", () => {
  it("S4 their states are there after a restart, each under its name", () => {
    const path = directory();
    const before = new Ledger(path);
    const breakers = before.breakers(recordingLog().log);
    expect(breakers.load("mcp:a")).toBeNull();
    breakers.save("mcp:a", { phase: "open", retryAtMs: 1 });
    breakers.save("mcp:b", { phase: "closed" });
    breakers.save("mcp:a", { phase: "open", retryAtMs: 2 });
    before.close();

    const after = new Ledger(path);
    const restored = after.breakers(recordingLog().log);
    expect(restored.load("mcp:a")).toEqual({ phase: "open", retryAtMs: 2 });
    expect(restored.load("mcp:b")).toEqual({ phase: "closed" });
    after.close();
  });

  it("S6 those longest unchanged are forgotten", () => {
    const ledger = new Ledger(directory());
    const breakers = ledger.breakers(recordingLog().log);
    breakers.save("kept", { n: 0 });
    for (let n = 0; n < 1_000; n++) {
      breakers.save(`mcp:${n}`, { n });
      if (n === 500) breakers.save("kept", { n: 1 });
    }
    expect(breakers.load("kept")).toEqual({ n: 1 });
    expect(breakers.load("mcp:0")).toBeNull();
    expect(breakers.load("mcp:999")).toEqual({ n: 999 });
    ledger.close();
  });

  it("S6 one that changes often costs the others nothing", () => {
    const ledger = new Ledger(directory());
    const breakers = ledger.breakers(recordingLog().log);
    breakers.save("mcp:calm", { phase: "open" });
    for (let n = 0; n < 1_500; n++) breakers.save("mcp:busy", { n });
    expect(breakers.load("mcp:calm")).toEqual({ phase: "open" });
    ledger.close();
  });

  it("S4 what cannot be kept or read costs a line in the log, not the call", () => {
    const ledger = new Ledger(directory());
    const { log, lines } = recordingLog();
    const breakers = ledger.breakers(log);
    ledger.close();
    breakers.save("mcp:a", { phase: "open" });
    expect(breakers.load("mcp:a")).toBeNull();
    expect(lines).toHaveLength(2);
  });
});
