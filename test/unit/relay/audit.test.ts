import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { RelayAudit, type RelayAuditOptions } from "../../../sidecar/relay/audit.ts";
import { RelayMetrics } from "../../../sidecar/relay/metrics.ts";
import { scratchDirectory, silentLog } from "../sidecar/fakes.ts";

const CLIENT = { id: "c1", subject: 'sub"ject', role: "operator" };

function open(options: Partial<RelayAuditOptions> = {}) {
  const file = join(scratchDirectory(), "state/relay-audit.jsonl");
  const metrics = new RelayMetrics();
  const audit = new RelayAudit({
    file,
    withContent: false,
    now: () => 5,
    metrics,
    log: silentLog,
    ...options,
  });
  onTestFinished(() => audit.close());
  const lines = (path = file) =>
    readFileSync(path, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { file, audit, metrics, lines };
}

const passed = { client: CLIENT, direction: "to_client", method: null, outcome: "passed" } as const;

describe("the relay's audit", () => {
  it("R5 says who sent how much, and not what", async () => {
    const { audit, lines } = open();
    audit.write({ ...passed, data: "grüße", method: "tools/call" });
    audit.write({ ...passed, client: null, data: Uint8Array.of(1, 2), outcome: "overloaded" });
    await audit.close();
    const common = { time: 5, direction: "to_client" };
    expect(lines()).toEqual([
      {
        ...common,
        ...{
          client: "c1",
          subject: 'sub"ject',
          kind: "text",
          method: "tools/call",
          bytes: 7,
          outcome: "passed",
        },
      },
      {
        ...common,
        ...{ client: null, subject: null, kind: "binary", method: null, bytes: 2, outcome: "overloaded" },
      },
    ]);
  });

  it("R5 says what, when it was told to", async () => {
    const { audit, lines } = open({ withContent: true });
    audit.write({ ...passed, data: 'a "text"\n' });
    audit.write({ ...passed, data: Uint8Array.of(0, 255) });
    await audit.close();
    expect(lines().map(({ content }) => content)).toEqual(['a "text"\n', "AP8="]);
  });

  it("S6 moves a file aside that has grown too large, and loses no line over it", async () => {
    const { audit, lines, file } = open({ fileBytes: 1_500 });
    await vi.waitUntil(() => existsSync(file), 5_000);
    for (let n = 0; n < 20; n++) {
      audit.write({ ...passed, data: "x", method: `m${n}` });
      if (n === 15) await vi.waitUntil(() => existsSync(`${file}.1`), 5_000);
    }
    await audit.close();
    const methods = [...lines(`${file}.1`), ...lines()].map(({ method }) => method);
    expect(methods).toEqual(Array.from({ length: 20 }, (_, n) => `m${n}`));
  });
});
