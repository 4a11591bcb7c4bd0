/** A real sidecar's file, edited as clusters and their tools do it, while others use the configuration API. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ConfigVersion } from "../../shared/protocol/config.ts";
import { ConfigApi } from "../support/config-api.ts";
import { startSidecar } from "../support/sidecar.ts";

const SWAPS = 50;
const SOON = { timeout: 20_000, interval: 20 };
/** Nothing is connected to before it is asked something: the port tells versions apart. */
const tcp = (port: number) => ({ type: "tcp", host: "127.0.0.1", port });
const text = (servers: Record<string, object>) => JSON.stringify({ mcpServers: servers }, null, 2);

/** Where a file is, and how its next text takes the place of the one before. */
type Swapped = { file: string; swap(text: string): void };

/** As Kubernetes mounts a config map: links to a folder that is another one after each update, the old one removed. */
function configMap(folder: string): Swapped {
  const path = (name: string) => join(folder, name);
  let version = 0;
  const swap = (contents: string) => {
    const before = `..v${version}`;
    const next = `..v${++version}`;
    mkdirSync(path(next));
    writeFileSync(join(path(next), ".mcp.json"), contents);
    symlinkSync(next, path("..data_tmp"));
    renameSync(path("..data_tmp"), path("..data"));
    rmSync(path(before), { recursive: true, force: true });
  };
  symlinkSync("..data/.mcp.json", path(".mcp.json"));
  return { file: path(".mcp.json"), swap };
}

/** As `kubectl edit` and editors do: a file beside it, by another name each time, that then takes its name. */
function renamed(folder: string): Swapped {
  const file = join(folder, ".mcp.json");
  let version = 0;
  const swap = (contents: string) => {
    const next = join(folder, `mcp-edit-${++version}.json`);
    writeFileSync(next, contents);
    renameSync(next, file);
  };
  return { file, swap };
}

/** All that the history has, newest first. */
async function wholeHistory(api: ConfigApi): Promise<ConfigVersion[]> {
  const all: ConfigVersion[] = [];
  for (;;) {
    const before = all.at(-1)?.revision;
    const query = before === undefined ? "" : `&before=${before}`;
    const { versions, more } = await api.history(`history?limit=100${query}`);
    all.push(...versions);
    if (!more) return all;
  }
}

const portsOf = (versions: readonly ConfigVersion[], name: string) =>
  versions
    .flatMap((version) => (version.name === name ? [version.value?.config.port ?? null] : []))
    .toReversed();

describe.each([
  ["a config map of Kubernetes", configMap],
  ["a file that is edited as a whole", renamed],
])("%s", (_what, mounted) => {
  it(`C1 C3 that is swapped ${SWAPS} times, and the API beside it, are both in store and history, whole and in order`, {
    timeout: 120_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "hivegate-swaps-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const mount = join(folder, "mount");
    mkdirSync(mount);
    const { file, swap } = mounted(mount);
    const servers = (n: number) => ({
      ...{ same: tcp(1), each: tcp(1_000 + n) },
      // Comes and goes.
      ...(n % 2 === 1 && { odd: tcp(2_000 + n) }),
    });
    swap(text(servers(0)));
    const sidecar = await startSidecar({
      env: { MCP_CONFIG_FILE: file, SIDECAR_STATE_DIR: join(folder, "state"), SWARM_EXECUTOR: "process" },
    });
    onTestFinished(sidecar.stop);
    const api = new ConfigApi(() => sidecar);

    /** What the API was told was stored, in order. */
    const put: number[] = [];
    let isOver = false;
    const writing = (async () => {
      for (let n = 0, etag: string | null = null; !isOver; n++) {
        const condition: Record<string, string> =
          etag === null ? { "if-none-match": "*" } : { "if-match": etag };
        const answer = await api.put("ours", { config: tcp(3_000 + n) }, condition);
        expect([200, 201]).toContain(answer.status);
        put.push(3_000 + n);
        etag = answer.etag;
      }
    })();
    const swapping = async () => {
      for (let n = 1; n <= SWAPS; n++) {
        swap(text(servers(n)));
        await expect.poll(async () => (await api.get("each")).config, SOON).toEqual(tcp(1_000 + n));
      }
    };
    await Promise.all([writing, swapping().finally(() => (isOver = true))]);

    const { configs } = await api.list();
    expect(Object.fromEntries(configs.map(({ name, config }) => [name, config]))).toEqual({
      ...servers(SWAPS),
      ours: tcp(put.at(-1) ?? 0),
    });
    expect(await api.status()).toMatchObject({ last_error: null, conflicts: [], file: { state: "watched" } });
    const versions = await wholeHistory(api);
    const swaps = Array.from({ length: SWAPS + 1 }, (_, n) => n);
    expect(portsOf(versions, "same")).toEqual([1]);
    expect(portsOf(versions, "each")).toEqual(swaps.map((n) => 1_000 + n));
    expect(portsOf(versions, "odd")).toEqual(swaps.slice(1).map((n) => (n % 2 === 1 ? 2_000 + n : null)));
    // Of each server the last 200 versions are kept.
    expect(portsOf(versions, "ours")).toEqual(put.slice(-200));
    console.info(`${SWAPS} swaps, ${put.length} changes through the API beside them`);
  });
});
