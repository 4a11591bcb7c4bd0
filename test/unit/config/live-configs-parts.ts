import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { ConfigChanged } from "../../../shared/protocol/config.ts";
import type { Alert } from "../../../sidecar/alerts.ts";
import { Applying } from "../../../sidecar/config/applied.ts";
import type { ConfigEntry } from "../../../sidecar/config/entry.ts";
import type { ConfigRead } from "../../../sidecar/config/file/read.ts";
import { apiRules, ownRules } from "../../../sidecar/config/file/rules.ts";
import { LiveConfigs } from "../../../sidecar/config/live-configs.ts";
import { type ConfigRouter, storeAlone } from "../../../sidecar/config/router.ts";
import { asBackend } from "../../../sidecar/config/store/backend.ts";
import type { Seed } from "../../../sidecar/config/store/rows.ts";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import type { McpServerConfig } from "../../../sidecar/mcp/server-config.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "live-configs-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A file whose watcher tells of it when the test says so. */
export class FakeFile {
  readonly name = ".mcp.json";
  now: ConfigRead = { state: "missing" };
  isWatched = false;
  #onRead: (read: ConfigRead) => void = () => {};

  /** Somebody edits it. The watcher has not seen it yet. */
  edit(servers: Record<string, unknown> | string): void {
    const text = typeof servers === "string" ? servers : JSON.stringify({ mcpServers: servers });
    this.now = { state: "text", text };
  }

  /** The watcher tells of what it saw. */
  tell(read = this.now): void {
    this.#onRead(read);
  }

  async read(): Promise<ConfigRead> {
    return this.now;
  }

  watch(onRead: (read: ConfigRead) => void) {
    this.#onRead = onRead;
    this.isWatched = true;
    return {
      close: async () => {
        this.isWatched = false;
      },
    };
  }
}

export type Given = {
  directory?: string;
  file?: FakeFile | null;
  seed?: Seed | null;
  beside?: ReadonlyMap<string, ConfigEntry>;
  env?: Record<string, string>;
  commands?: string[];
  router?: (store: ConfigStore) => ConfigRouter;
};

export async function liveConfigs(given: Given = {}) {
  const { directory = scratch(), file = null, seed = null, env = {}, commands = [] } = given;
  const store = new ConfigStore(join(directory, "configs.db"));
  const clock = new ManualClock();
  const alerts: Alert[] = [];
  const applied: McpServerConfig[][] = [];
  const heard: ConfigChanged[] = [];
  const { log, lines } = recordingLog();
  const configs = new LiveConfigs({
    store,
    router: given.router?.(store) ?? storeAlone(asBackend(store)),
    applying: new Applying({
      own: ownRules(env),
      api: apiRules(env, { commands, variables: ["OPEN"], hosts: ["*"] }),
    }),
    apply: (servers) => void applied.push([...servers]),
    alerts: { raise: (alert) => void alerts.push(alert) },
    ...{ file, clock, log },
    beside: given.beside ?? null,
  });
  configs.onChange((change) => void heard.push(change));
  const close = async () => {
    await configs.close();
    store.close();
  };
  let isClosed = false;
  const stop = async () => {
    if (!isClosed) await close();
    isClosed = true;
  };
  onTestFinished(stop);
  await configs.start(seed);
  return { configs, store, clock, alerts, applied, heard, lines, directory, stop };
}

/** What runs now: each server's arguments, by name. */
export const running = (applied: readonly (readonly McpServerConfig[])[]): Record<string, unknown> =>
  Object.fromEntries(
    (applied.at(-1) ?? []).map((server) => [server.name, "args" in server ? server.args : null]),
  );

/** A server as a file says it. */
export const serve = (version: number) => ({ command: "serve", args: [String(version)] });
/** The same, as the API is given it. */
export const value = (version: number, config: Record<string, unknown> = {}) => ({
  config: { ...serve(version), ...config },
  agent_names: [],
  allowed_tools: ["*"],
  enabled: true,
});
