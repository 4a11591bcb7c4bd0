/** What is remembered of requests, for those who may read it: the audit log, and the figures of tools. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { type Identity, may, type NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { isWholeHive } from "../../shared/swarm/view.ts";
import type { AuditPage } from "../hive/records.ts";
import type { StatsReport } from "../hive/tool-figures.ts";
import type { Policy } from "../mcp/policy.ts";

export type AuditRoutesPorts = {
  policy: Policy;
  /** @throws HivegateError when the token does not allow it */
  identify(c: Context, permission: NamedPermission): Promise<{ identity: Identity }>;
  hiveOf(c: Context): string;
  audit(hive: string, after: number, limit: number): Promise<AuditPage>;
  toolStats(hive: string): Promise<StatsReport>;
};

const Range = z.object({
  after: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(LIMITS.auditPage).default(LIMITS.auditPage),
});

export function auditRoutes(app: Hono, ports: AuditRoutesPorts): void {
  app.get("/v1/hives/:hive/audit", async (c) => {
    const { identity } = await ports.identify(c, "audit:read");
    checkWhole(identity, "The audit log is");
    const range = Range.safeParse(c.req.query());
    if (!range.success)
      throw new HivegateError(
        "invalid_request",
        `after: the number of an entry; limit: 1 to ${LIMITS.auditPage}.`,
      );
    const { lines, head } = await ports.audit(ports.hiveOf(c), range.data.after, range.data.limit);
    const text = [...lines, JSON.stringify({ head })].map((line) => `${line}\n`).join("");
    return c.body(text, 200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  });

  app.get("/v1/hives/:hive/tools/stats", async (c) => {
    const { identity } = await ports.identify(c, "telemetry:read");
    checkWhole(identity, "Figures of tools are");
    const stats = await ports.toolStats(ports.hiveOf(c));
    return c.json(may(identity, "metrics:read") ? stats : seenBy(ports.policy, identity, stats));
  });
}

function checkWhole({ scope }: Identity, what: string): void {
  if (!isWholeHive(scope))
    throw new HivegateError("forbidden", `${what} of a whole hive, and the token shows a part of one.`);
}

/** The tools that it may call. What a server's tools, or those without room, come to together would tell of others. */
function seenBy(policy: Policy, identity: Identity, stats: StatsReport): StatsReport {
  const access = policy.access(identity);
  if (access.all) return stats;
  return {
    ...stats,
    tools: stats.tools.filter(({ server, tool }) => access.tool(server, tool)),
    servers: [],
  };
}
