import type { Hono } from "hono";
import { RolloutChange, type RolloutStatus } from "../../../shared/protocol/rollout.ts";
import type { Signed } from "../../http/authenticate.ts";
import { parseBody } from "../../http/parse.ts";
import type { Rollout } from "./rollout.ts";

const PATH = "/api/v1/mcp/rollout";

/** For the gateway, which says who asks (`by`) and whether he may. */
export function rolloutRoutes(app: Hono<Signed>, rollout: Rollout): void {
  app.get(PATH, (c) => c.json<RolloutStatus>(rollout.status));
  app.put(PATH, async (c) =>
    c.json<RolloutStatus>(
      await rollout.change(parseBody(RolloutChange, c.get("body")), c.req.query("by") || "the gateway"),
    ),
  );
}
