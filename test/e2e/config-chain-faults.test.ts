/** What goes wrong with the file of MCP servers and with what is kept of it, while clients call their tools and hear of changes. */
import { mkdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import {
  type ConfigChain,
  type ConfigChainOptions,
  type FileServers,
  namesOf,
  startConfigChain,
} from "../support/config-chain.ts";
import { ChainClient, countsOf, Load, type Tried } from "../support/mcp-chain.ts";
import { overStdio } from "../support/scripted-mcp.ts";
import { startScripted } from "../support/scripted-process.ts";
import { canMount, smallDisk } from "../support/small-disk.ts";

const SOON = { timeout: 20_000, interval: 20 };
const CALL_MS = 20_000;
const LOCKED_MS = 10_000;
const KILLS = 12;
const CHANGED = { added: [], changed: ["moving"], removed: [] };

const { name: _, ...scripted } = overStdio("moving");

/** A chain with a server that stays as it is and one that changes, both called all the time by clients of both eras. */
async function underLoad(options: ConfigChainOptions = {}) {
  const place = await startScripted();
  onTestFinished(place.stop);
  const still = { type: "tcp", host: "127.0.0.1", port: place.port };
  const version = (n: number, more: FileServers = {}) => ({
    ...{ still, moving: { ...scripted, env: { VERSION: String(n) } }, ...more },
  });
  const there = await startConfigChain(version(0), {
    ...options,
    gateway: { MCP_REQUESTS_PER_SECOND: "100000" },
  });
  onTestFinished(there.stop);
  const clientsOf = async (server: string) => {
    const url = `${there.chain.gateway.url}/mcp/${server}`;
    return Promise.all(
      (["2025", "2026"] as const).map(
        async (era) => new ChainClient(era, { url, token: await there.token() }),
      ),
    );
  };
  const clients = await Promise.all(["still", "moving"].map(clientsOf));
  const load = new Load(clients.flat(), { limitMs: CALL_MS });
  return { there, version, load };
}

const status = ({ client }: ConfigChain) => client.configs.status();

/** Which version of the changing server answers. */
async function versionIn({ client }: ConfigChain): Promise<string | undefined> {
  const { content } = await client.callTool("moving__env", {});
  return /VERSION\\":\\"(\d+)/.exec(JSON.stringify(content))?.[1];
}

/** Every call was answered. Gives how long the slowest one took. */
async function allWell(load: Load): Promise<number> {
  await load.stop();
  expect(Object.keys(countsOf(load.tried))).toEqual(["ok"]);
  return slowest(load.tried);
}

const slowest = (tried: readonly Tried[]): number => Math.round(Math.max(...tried.map(({ ms }) => ms)));

/** Version `n` takes force, and our client hears of just that, once. */
async function takesForce(there: ConfigChain, n: number, before: number): Promise<void> {
  await expect.poll(() => versionIn(there), SOON).toBe(String(n));
  await expect.poll(() => there.heard.length, SOON).toBeGreaterThan(before);
  expect(there.heard.slice(before).map(namesOf)).toEqual([CHANGED]);
  const { revision, last_error, file } = await status(there);
  expect([there.heard.at(-1)?.revision, last_error, file?.state]).toEqual([revision, null, "watched"]);
}

describe("a file of MCP servers with something wrong, under load", () => {
  const instead: [string, (path: string) => void, (path: string) => void, object][] = [
    [
      "a folder",
      (path) => mkdirSync(path),
      (path) => rmdirSync(path),
      { last_error: { message: "it cannot be read: it is not a file", line: null } },
    ],
    [
      "one that cannot be read",
      (path) => symlinkSync("/proc/self/mem", path),
      (path) => rmSync(path),
      { last_error: { message: "it cannot be read: EIO", line: null } },
    ],
    [
      "a link to itself",
      (path) => symlinkSync(path, path),
      (path) => rmSync(path),
      { last_error: { message: "it cannot be read: ELOOP", line: null } },
    ],
    [
      "one of five mebibytes",
      (path) => writeFileSync(path, " ".repeat(5 * 1024 * 1024)),
      (path) => rmSync(path),
      { last_error: { message: `expected at most ${LIMITS.configFileBytes} bytes` } },
    ],
  ];

  it.each(instead)("C1 Q2 %s in its place is told of, and all goes on", async (_what, put, take, told) => {
    const { there, version, load } = await underLoad();
    const { revision } = await status(there);
    rmSync(there.file);
    put(there.file);
    await expect.poll(() => status(there), SOON).toMatchObject({ file: { state: "refused" }, ...told });
    await expect(there.client.configs.reload()).rejects.toMatchObject({ code: "config_invalid" });
    expect(await status(there)).toMatchObject({ revision, servers: 2, source: "file" });
    take(there.file);
    await expect.poll(() => status(there), SOON).toMatchObject({ file: { state: "missing" } });
    expect(there.heard).toEqual([]);
    there.write(version(1));
    await takesForce(there, 1, 0);
    await allWell(load);
  });

  it("C1 C3 Q2 five thousand servers, of which a few are enabled, come and go as one change each", async () => {
    const { there, version, load } = await underLoad();
    const more = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, n) => [`more-${n}`, { ...scripted, disabled: n > 0 }]),
    );
    const before = load.tried.length;
    there.write(version(0, more));
    await expect.poll(() => there.heard.length, SOON).toBe(1);
    expect(there.heard[0]?.added).toHaveLength(5_000);
    expect(await status(there)).toMatchObject({ servers: 5_002, last_error: null });
    const { content } = await there.client.callTool("more-0__echo", { a: 1 });
    expect(content).toMatchObject([{ text: '{"a":1}' }]);
    there.write(version(1));
    await expect.poll(() => there.heard.length, SOON).toBe(2);
    expect(there.heard[1]).toMatchObject({ added: [], changed: ["moving"] });
    expect(there.heard[1]?.removed).toHaveLength(5_000);
    expect(await versionIn(there)).toBe("1");
    expect(await status(there)).toMatchObject({ servers: 2, last_error: null });
    await allWell(load);
    console.info(`with 5,000 servers more the slowest call took ${slowest(load.tried.slice(before))} ms`);
  });
});

describe("a store that cannot be written, under load", () => {
  it("C1 C3 Q2 is told of while another program keeps it locked, and written when that is over", async () => {
    const { there, version, load } = await underLoad();
    const { revision } = await status(there);
    const other = new DatabaseSync(join(there.stateDir, "configs.db"));
    onTestFinished(() => other.close());
    other.exec("BEGIN EXCLUSIVE");
    const endMs = Date.now() + LOCKED_MS;
    there.write(version(1));
    const put = there.client.configs.put(
      "third",
      { config: { type: "tcp", host: "127.0.0.1", port: 1 } },
      "none",
    );
    await expect(put).rejects.toMatchObject({ code: "overloaded" });
    const notStored = { last_error: { message: expect.stringContaining("could not be stored") } };
    await expect.poll(() => status(there), SOON).toMatchObject(notStored);
    await delay(endMs - Date.now());
    expect(await status(there)).toMatchObject({ revision, servers: 2, ...notStored });
    expect(await versionIn(there)).toBe("0");
    expect(there.heard).toEqual([]);
    other.exec("ROLLBACK");
    await takesForce(there, 1, 0);
    console.info(`with the store locked the slowest call took ${await allWell(load)} ms`);
  });

  it.skipIf(!canMount())(
    "C1 C3 Q2 is told of while its disk is full, and written when there is room",
    async () => {
      const disk = smallDisk(8 * 1024);
      onTestFinished(disk.remove);
      const { there, version, load } = await underLoad({ stateDir: disk.dir });
      const { revision } = await status(there);
      disk.fill();
      there.write(version(1));
      const notStored = { last_error: { message: expect.stringContaining("could not be stored") } };
      await expect.poll(() => status(there), SOON).toMatchObject({ revision, ...notStored });
      const put = there.client.configs.put(
        "third",
        { config: { type: "tcp", host: "127.0.0.1", port: 1 } },
        "none",
      );
      await expect(put).rejects.toMatchObject({ code: "overloaded" });
      expect(await versionIn(there)).toBe("0");
      expect(there.heard).toEqual([]);
      disk.empty();
      await takesForce(there, 1, 0);
      await allWell(load);
    },
  );
});

describe("a sidecar that is killed, under load", () => {
  it(`C1 C3 Q2 ${KILLS} times after its file was written has what the file says, told once`, {
    timeout: 180_000,
  }, async () => {
    const { there, version, load } = await underLoad();
    for (let n = 1; n <= KILLS; n++) {
      there.write(version(n));
      // Before it is read, while it is, and after.
      await delay((n * 2 * LIMITS.configSettleMs) / KILLS);
      await there.chain.mcp.sidecar.kill("SIGKILL");
      await there.chain.restartSidecar();
      await expect.poll(() => versionIn(there).catch(String), SOON).toBe(String(n));
      const { revision, last_error, conflicts } = await status(there);
      expect([revision, last_error, conflicts]).toEqual([2 + n, null, []]);
      await expect.poll(() => there.stream.configRevision, SOON).toBe(revision);
    }
    expect(there.heard.map(({ revision }) => revision)).toEqual(
      Array.from({ length: KILLS }, (_, n) => 3 + n),
    );
    const { versions } = await there.client.configs.history({ name: "moving" });
    expect(versions.map(({ source, lost }) => [source, lost])).toEqual(
      Array.from({ length: KILLS + 1 }, () => ["file", false]),
    );
    await load.stop();
    const clear = ["ok", "mcp_unavailable", "circuit_open", "sidecar_unreachable", "not_found"];
    expect(Object.keys(countsOf(load.tried)).filter((outcome) => !clear.includes(outcome))).toEqual([]);
    console.info("calls around the kills:", countsOf(load.tried));
  });
});
