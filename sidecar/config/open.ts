/** Opens what is kept of the MCP servers' configuration, and applies it. */
import { basename } from "node:path";
import { type Clock, platformClock } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { Alerts } from "../alerts.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import type { McpServerConfig } from "../mcp/server-config.ts";
import { StartError, whyOf } from "../start/start-error.ts";
import { Applying } from "./applied.ts";
import type { Configs } from "./configs.ts";
import { parseConfigFile } from "./file/parse.ts";
import { readConfigFile, withReadLimit } from "./file/read.ts";
import { apiRules, ownRules } from "./file/rules.ts";
import { ConfigWatch } from "./file/watch.ts";
import { LiveConfigs, type WatchedFile } from "./live-configs.ts";
import { noRollout, type Rollout } from "./rollout/rollout.ts";
import { entriesOf, seedOf } from "./seed.ts";
import { ConfigStore, storeFile } from "./store/store.ts";

export type OpenConfigsOptions = {
  /** Those that follow the configuration. */
  servers: { apply(configs: readonly McpServerConfig[]): unknown };
  log: Logger;
  clock?: Clock;
  /** What `${NAME}` in a configuration stands for. */
  env?: Readonly<Record<string, string | undefined>>;
  alerts: Pick<Alerts, "raise">;
  /** What goes on between the older system's database and the store; without it nothing does. */
  rollout?: (store: ConfigStore) => Promise<Rollout>;
};

export type OpenedConfigs = { configs: Configs; rollout: Rollout; close(): Promise<void> };

/**
 * Resolves when what is configured is applied. What was wrong with it is in the status, as long as there is something to go on with.
 * @throws StartError
 */
export async function openConfigs(config: Config, options: OpenConfigsOptions): Promise<OpenedConfigs> {
  const { servers, log, alerts, clock = platformClock, env = process.env } = options;
  const store = openStore(config.stateDir);
  const file = config.mcpConfigFile;
  const opened: { close(): Promise<void> }[] = [{ close: async () => store.close() }];
  const close = async () => {
    for (const part of opened.splice(0).reverse()) await part.close();
  };
  try {
    const rollout = (await options.rollout?.(store)) ?? noRollout(store);
    opened.push(rollout);
    const configs = new LiveConfigs({
      store,
      router: rollout.router,
      applying: new Applying({ own: ownRules(env), api: apiRules(env, config.mcpApi) }),
      apply: (configs) => servers.apply(configs),
      file: file === null ? null : watchedFile(file, { log, clock }),
      beside: config.mcpServersFrom === "environment" ? entriesOf(config) : null,
      ...{ log, alerts, clock },
    });
    opened.push(configs);
    await configs.start(
      file === null ? seedOf(config, { last: store.seed(), revision: store.revision }) : null,
    );
    checkBeginning(configs, file);
    return { configs, rollout, close };
  } catch (cause) {
    await close();
    if (cause instanceof HivegateError && cause.code === "config_invalid")
      throw new StartError(`MCP_SERVERS: ${cause.message}`, { cause });
    throw cause;
  }
}

function openStore(stateDir: string): ConfigStore {
  try {
    return new ConfigStore(storeFile(stateDir));
  } catch (cause) {
    throw new StartError(`SIDECAR_STATE_DIR: ${whyOf(cause)}`, { cause });
  }
}

/** With nothing to go on with, whoever starts the sidecar has to correct the file first. */
function checkBeginning({ status }: LiveConfigs, file: string | null): void {
  const { last_error, revision } = status;
  if (file === null || revision > 0 || status.file?.state !== "refused" || !last_error) return;
  const { line, column, message } = last_error;
  throw new StartError(`${[file, line, column].filter((part) => part !== null).join(":")}: ${message}`);
}

const watchedFile = (path: string, ports: { log: Logger; clock: Clock }): WatchedFile => ({
  name: basename(path),
  read: withReadLimit(() => readConfigFile(path), ports.clock),
  watch: (onRead) => new ConfigWatch(path, { ...ports, onRead, isWhole: (text) => parseConfigFile(text).ok }),
});
