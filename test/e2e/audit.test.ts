/** The audit log over a gateway's life and death, in the real database of each host, through the real command line. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { audit } from "../../sidecar/cli/commands/audit.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { newSecret, type RunningGateway, startGateway } from "../support/gateway.ts";
import { run } from "../unit/cli/fakes.ts";

const keys = { k: newSecret() };
const LATE = { timeout: 15_000, interval: 50 };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const change = async (gateway: RunningGateway, subject: string) =>
  fetch(`${gateway.url}/v1/hives/default/nothing`, {
    method: "POST",
    headers: { authorization: `Bearer ${await gateway.token({ subject })}` },
  });

const hivegate = async (gateway: RunningGateway, ...words: string[]) =>
  run({ audit }, ["audit", ...words], {
    env: {
      HIVEGATE_URL: gateway.url,
      HIVEGATE_TOKEN: await gateway.token({ permissions: ["audit:read"] }),
      SIDECAR_KEYS: JSON.stringify(keys),
    },
  });

describe.each([
  { host: "workerd", start: startGateway },
  { host: "deno", start: startDenoGateway },
])("the audit log on $host", ({ start }) => {
  it("T7 outlives the gateway, however that ends, and proves itself from its first entry on", async () => {
    const stateDir = await mkdtemp(join(tmpdir(), "hivegate-audit-"));
    ends.push(() => rm(stateDir, { recursive: true, force: true }));
    const begin = async (given = keys) => {
      const gateway = await start({ sidecarUrl: "http://127.0.0.1:9", keys: given, stateDir });
      ends.push(() => gateway.kill("SIGKILL"));
      return gateway;
    };
    const entries = async (gateway: RunningGateway): Promise<{ kind: string; client?: string }[]> =>
      (await hivegate(gateway, "export")).out
        .trim()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).entry);

    const first = await begin();
    await change(first, "before");
    await expect.poll(async () => (await entries(first)).length, LATE).toBe(1);
    const [, known = ""] = /--known (\S+)/.exec((await hivegate(first, "verify")).out) ?? [];
    await first.kill("SIGKILL");

    const second = await begin();
    await change(second, "after");
    await expect
      .poll(async () => (await entries(second)).map(({ client }) => client), LATE)
      .toEqual(["before", "after"]);
    const verified = await hivegate(second, "verify", "--known", known);
    expect(verified.out).toContain("Entries 1 to 2 are as they were written. The seal of its end is right.");
    await second.kill("SIGKILL");

    // Under another key of the same name it goes on, and says so.
    const third = await begin({ k: newSecret() });
    await change(third, "later");
    await expect
      .poll(async () => (await entries(third)).map(({ kind, client }) => client ?? kind), LATE)
      .toEqual(["before", "after", "doubt", "later"]);
    const doubted = await hivegate(third, "verify");
    expect(doubted).toMatchObject({ code: 1, out: expect.stringContaining("the seal of its end is wrong") });
  });
});

describe("the audit log's database", () => {
  it("T7 loses nothing that was said just before the gateway on Deno is asked to stop", async () => {
    const stateDir = await mkdtemp(join(tmpdir(), "hivegate-audit-"));
    ends.push(() => rm(stateDir, { recursive: true, force: true }));
    const options = { sidecarUrl: "http://127.0.0.1:9", keys, stateDir };
    const first = await startDenoGateway(options);
    await change(first, "last words");
    await first.stop();
    const second = await startDenoGateway(options);
    ends.push(() => second.kill("SIGKILL"));
    expect((await hivegate(second, "export")).out).toContain('"last words"');
  });

  it("T7 takes what two gateways on Deno say while one replaces the other", async () => {
    const stateDir = await mkdtemp(join(tmpdir(), "hivegate-audit-"));
    ends.push(() => rm(stateDir, { recursive: true, force: true }));
    const begin = async () => {
      const gateway = await startDenoGateway({ sidecarUrl: "http://127.0.0.1:9", keys, stateDir });
      ends.push(() => gateway.kill("SIGKILL"));
      return gateway;
    };
    const old = await begin();
    await change(old, "one");
    await expect.poll(async () => (await hivegate(old, "export")).out, LATE).toContain('"one"');
    const fresh = await begin();
    expect((await hivegate(fresh, "export")).out).toContain('"one"');
    await change(old, "two");
    await old.stop();
    await change(fresh, "three");
    await expect.poll(async () => (await hivegate(fresh, "export")).out, LATE).toContain('"three"');
    expect((await hivegate(fresh, "verify")).out).toContain("Entries 1 to 3 are as they were written.");
  });
});
