import { describe, expect, it } from "vitest";
import type { ConfigBackend } from "../../../sidecar/config/backend.ts";
import type { ConfigEntry } from "../../../sidecar/config/entry.ts";
import type { ConfigRouter } from "../../../sidecar/config/router.ts";
import { asBackend } from "../../../sidecar/config/store/backend.ts";
import type { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { liveConfigs, value } from "./live-configs-parts.ts";

/** The older database: it says what it was told, without versions, as late as `hold` lets it. */
class OlderPath {
  hold: Promise<void> = Promise.resolve();
  #entries: readonly ConfigEntry[] = [];

  router = (store: ConfigStore): ConfigRouter => ({
    read: async (_client, _operation, read) => {
      const answer = await read(this.#backend(asBackend(store)));
      await this.hold;
      return answer;
    },
    write: async (_edits, storeWrite) => {
      const revision = storeWrite();
      this.#entries = store.list().map(({ name, config, agent_names, allowed_tools, enabled }) => ({
        ...{ name, config, agent_names, allowed_tools, enabled },
      }));
      return revision;
    },
  });

  #backend(store: ConfigBackend): ConfigBackend {
    return {
      ...store,
      kind: "old",
      list: async () => [...this.#entries],
      get: async (name) => this.#entries.find((entry) => entry.name === name) ?? null,
      ofAgent: async (agent) => this.#entries.filter(({ agent_names }) => agent_names.includes(agent)),
    };
  }
}

const ANN = { by: "ann", source: "api" } as const;
const BOB = { by: "bob", source: "api" } as const;
const ofAgent = (version: number) => ({ ...value(version), agent_names: ["coder"] });

describe("what is read on the older path", () => {
  it("C3 C4 is never told as a newer version than it is, so that nobody undoes what he has not seen", async () => {
    const older = new OlderPath();
    const { configs } = await liveConfigs({ router: older.router, commands: ["serve"] });
    const first = await configs.put("web", ofAgent(1), "none", ANN);
    const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
    older.hold = held;
    const reads = [
      configs.get("ann", "web"),
      configs.list("ann").then(({ configs: [item] }) => item),
      configs.ofAgent("ann", "coder").then(([item]) => item),
    ];
    const second = await configs.put("web", ofAgent(2), first.revision, BOB);
    goOn();
    for (const item of await Promise.all(reads)) {
      expect(item).toMatchObject({ revision: first.revision, config: { args: ["1"] } });
    }
    await expect(configs.put("web", ofAgent(3), first.revision, ANN)).rejects.toMatchObject({
      code: "precondition_failed",
    });
    expect(await configs.get("ann", "web")).toEqual(second);
    expect((await configs.list("ann")).revision).toBe(second.revision);
  });

  it("C5 is answered with its version while the store cannot be read", async () => {
    const { configs, store } = await liveConfigs({ router: new OlderPath().router, commands: ["serve"] });
    const item = await configs.put("web", ofAgent(1), "none", ANN);
    store.db.exec("DROP TABLE mcp_config_agents; DROP TABLE mcp_configs");
    expect(() => store.get("web")).toThrow();
    expect(await configs.get("ann", "web")).toEqual(item);
    expect(await configs.list("ann")).toEqual({ revision: item.revision, configs: [item] });
    expect(await configs.ofAgent("ann", "coder")).toEqual([item]);
  });
});
