/** The configuration API of a real sidecar, as the gateway uses it. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ConfigHistory,
  ConfigItem,
  ConfigList,
  ConfigStatus,
  type ConfigValue,
} from "../../shared/protocol/config.ts";
import { type Sidecar, signedFetch, startSidecar } from "./sidecar.ts";

export type Answer = { status: number; etag: string | null; body: unknown };

export class ConfigApi {
  readonly #sidecar: () => Sidecar;

  constructor(sidecar: () => Sidecar) {
    this.#sidecar = sidecar;
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const url = `${this.#sidecar().url}/api/v1/mcp/${path}`;
    const answer = await signedFetch(url, { method, headers, ...(body !== undefined && { body }) });
    const text = await answer.text();
    return {
      status: answer.status,
      etag: answer.headers.get("etag"),
      body: text === "" ? null : JSON.parse(text),
    };
  }

  put(name: string, value: Partial<ConfigValue>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask("PUT", `configs/${name}?by=ada&client=c1`, value, headers);
  }

  async get(name: string): Promise<ConfigItem> {
    return ConfigItem.parse((await this.ask("GET", `configs/${name}`)).body);
  }

  async list(): Promise<ConfigList> {
    return ConfigList.parse((await this.ask("GET", "configs")).body);
  }

  async status(): Promise<ConfigStatus> {
    return ConfigStatus.parse((await this.ask("GET", "status")).body);
  }

  async history(path: string): Promise<ConfigHistory> {
    return ConfigHistory.parse((await this.ask("GET", path)).body);
  }
}

/** A sidecar that reads a file of MCP servers, which the test edits. */
export async function sidecarWithFile(servers: Record<string, unknown>, env: Record<string, string> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "config-api-"));
  const file = join(directory, ".mcp.json");
  /** As editors do it: the new file takes the place of the old one at once. */
  const edit = (next: Record<string, unknown>) => {
    writeFileSync(`${file}.new`, JSON.stringify({ mcpServers: next }, null, 2));
    renameSync(`${file}.new`, file);
  };
  edit(servers);
  const start = () =>
    startSidecar({
      env: {
        ...{ MCP_CONFIG_FILE: file, SIDECAR_STATE_DIR: join(directory, "state"), SWARM_EXECUTOR: "process" },
        ...env,
      },
    });
  let sidecar = await start();
  return {
    api: new ConfigApi(() => sidecar),
    ...{ file, edit },
    async killAndStart() {
      await sidecar.kill("SIGKILL");
      sidecar = await start();
    },
    async stop() {
      await sidecar.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
