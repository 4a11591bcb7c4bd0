/** Which MCP servers there are: what is kept of that and applied, the way there from an older system, and the API for both. */
import type { Hono } from "hono";
import { platformClock } from "../../shared/clock.ts";
import { Alerts } from "../alerts.ts";
import type { Configs } from "../config/configs.ts";
import { openOldDatabase } from "../config/old/open.ts";
import { olderRoutes } from "../config/older-api/routes.ts";
import { openConfigs } from "../config/open.ts";
import { openRollout } from "../config/rollout/open.ts";
import type { Rollout } from "../config/rollout/rollout.ts";
import { rolloutRoutes } from "../config/rollout/routes.ts";
import { configRoutes } from "../config/routes.ts";
import type { ConfigStore } from "../config/store/store.ts";
import type { Signed } from "../http/authenticate.ts";
import type { McpFront } from "../mcp/front.ts";
import type { McpServers } from "../mcp/servers.ts";
import type { Ground } from "./ground.ts";
import { StartError, whyOf } from "./start-error.ts";

export type ConfigPart = {
  configs: Configs;
  rollout: Rollout;
  /** `front` knows what the servers offer, as the older system's clients ask. */
  routes(app: Hono<Signed>, front: Pick<McpFront, "registered">): void;
  /** What is under way is finished first; what is kept is closed last. */
  close(): Promise<void>;
};

/** Resolves when `servers` are those that are configured. @throws StartError */
export async function openConfigPart(ground: Ground, servers: McpServers): Promise<ConfigPart> {
  const { config, metrics, log } = ground;
  const clock = platformClock;
  const { hive, alertWebhookUrl: webhookUrl } = config;
  const alerts = new Alerts({ hive, webhookUrl, count: metrics.alert, clock, log });
  const rollout = (store: ConfigStore) =>
    openRollout(config.migration, { store, open: openOldDatabase, alerts, clock, log }).catch(cannotStart);
  try {
    const opened = await openConfigs(config, { servers, alerts, rollout, clock, log });
    metrics.watchConfigs(opened);
    return {
      ...opened,
      routes(app, { registered }) {
        configRoutes(app, opened.configs);
        rolloutRoutes(app, opened.rollout);
        olderRoutes(app, { configs: opened.configs, servers, registered, now: Date.now, log });
      },
      async close() {
        await opened.close();
        alerts.close();
      },
    };
  } catch (thrown) {
    alerts.close();
    throw thrown;
  }
}

/** Whoever set the variable hears more than a client would. */
function cannotStart(thrown: unknown): never {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
  throw new StartError(`MCP_OLD_DATABASE: ${whyOf(cause)}`, { cause: thrown });
}
