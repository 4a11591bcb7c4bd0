import { describe, expect, it } from "vitest";
import { sealWith } from "../../../shared/audit/chain.ts";
import { audit } from "../../../sidecar/cli/commands/audit.ts";
import { anAuditLog, exported } from "../../support/audit-log.ts";
import { aSeal, hmac } from "../../support/digests.ts";
import { FakeGateway, run } from "./fakes.ts";

const KEY = Buffer.alloc(32, 3);
const env = { SIDECAR_KEYS: JSON.stringify({ k: KEY.toString("base64") }) };
const log = anAuditLog({ entries: 5, seal: sealWith(hmac, { kid: "k", key: KEY }) });
const lines = exported(log);
const text = lines.join("\n");
const known = `5:${log.head.hash}`;

const verify = (file: string, options: string[] = [], given: Record<string, string> = env) =>
  run({ audit }, ["audit", "verify", "log.jsonl", ...options], { files: { "log.jsonl": file }, env: given });

describe("hivegate audit", () => {
  it("T7 says that nothing was altered, whether it is sealed, and what to keep for the next time", async () => {
    const { code, out } = await verify(text);
    expect(out).toBe(
      `Entries 1 to 5 are as they were written. The seal of its end is right.\nKeep this for the next time: --known ${known}\n`,
    );
    expect(code).toBe(0);
    expect((await verify(text, [], {})).out).toContain("was not checked: that takes SIDECAR_KEYS");
    expect(await verify(text, ["--known", known])).toMatchObject({ code: 0 });
  });

  it("T7 says which entry is the first that is wrong", async () => {
    const altered = await verify(text.replace('"r2"', '"r9"'));
    expect(altered).toMatchObject({ code: 1, out: "Entry 3 is the first that is wrong: it was altered.\n" });
    expect(JSON.parse((await verify(text.replace('"r2"', '"r9"'), ["--json"])).out)).toEqual({
      ...{ ok: false, seq: 3, reason: "it was altered" },
    });
    const older = exported(anAuditLog({ entries: 4, seal: sealWith(hmac, { kid: "k", key: KEY }) }));
    expect(await verify(older.join("\n"), ["--known", known])).toMatchObject({ code: 1 });
    expect(await verify(text, [], { SIDECAR_KEYS: JSON.stringify({ k: "b3RoZXI=" }) })).toMatchObject({
      ...{ code: 1, out: "Entry 5 is the first that is wrong: the head is not sealed with this key.\n" },
    });
  });

  it("T7 S8 does not take a log for sealed by a key that it does not have, whatever its name", async () => {
    const forged = (kid: string) =>
      exported(anAuditLog({ entries: 5, subject: "innocent", seal: aSeal(kid) })).join("\n");
    for (const kid of ["gone", "constructor", "__proto__"]) {
      const found = await verify(forged(kid));
      expect(found).toMatchObject({ code: 1, out: expect.stringContaining(`not at hand: "${kid}"`) });
      expect(await verify(forged(kid), [], {})).toMatchObject({ code: 0 });
    }
  });

  it("T7 says that the known entry was dropped", async () => {
    const log = anAuditLog({ entries: 200, mostBytes: 20_000, seal: sealWith(hmac, { kid: "k", key: KEY }) });
    const found = await verify(exported(log).join("\n"), ["--known", `3:${"0".repeat(64)}`]);
    expect(found).toMatchObject({
      code: 0,
      out: expect.stringContaining("The known entry is among those dropped"),
    });
  });

  it("T7 exports page by page, and verifies what the gateway gives", async () => {
    const page = (from: number, to: number) => (response: import("node:http").ServerResponse) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      response.end([...lines.slice(from, to), lines.at(-1)].map((line) => `${line}\n`).join(""));
    };
    await using gateway = await new FakeGateway({
      "GET /v1/hives/default/audit?after=0": page(0, 3),
      "GET /v1/hives/default/audit?after=3": page(3, 5),
    }).start();
    const world = { env: { ...gateway.env, ...env } };
    expect(await run({ audit }, ["audit", "export"], world)).toMatchObject({ code: 0, out: `${text}\n` });
    expect(await run({ audit }, ["audit", "verify"], world)).toMatchObject({
      ...{ code: 0, out: expect.stringContaining("Entries 1 to 5") },
    });
  });

  it("U3 says what is wrong with its command line", async () => {
    expect(await run({ audit }, ["audit", "improve"])).toMatchObject({ code: 2 });
    expect(await run({ audit }, ["audit", "verify", "nowhere"])).toMatchObject({
      ...{ code: 2, err: "hivegate: nowhere cannot be read.\n" },
    });
    expect(await verify(text, ["--known", "5"])).toMatchObject({ code: 2 });
    expect(await verify(text, [], { SIDECAR_KEYS: "secret" })).toMatchObject({
      ...{ code: 2, err: expect.not.stringContaining("secret") },
    });
  });
});
