import { z } from "zod";
import { HelloQuery, RelayQuery } from "../../shared/protocol/client.ts";
import { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { SwarmId } from "../../shared/protocol/ids.ts";
import { HybridHealth } from "../../shared/protocol/sidecar.ts";
import { OrchestratorsAnswer, OrchestratorsChange } from "../../shared/relay/orchestrators.ts";
import type { Content, Operation } from "./operation.ts";

const HIVE = "/v1/hives/:hive";
const TEXT: Content = { media: "text/plain", description: "Prometheus' text format." };
const ofHive = z.object({ hive: z.string().optional().describe("The first one when not given.") });

/** Over HTTP a look-up is answered by the frame that a session gets. */
function frame(type: GatewayFrame["type"]): z.ZodType {
  const found = GatewayFrame.options.find(({ shape }) => shape.type.safeParse(type).success);
  if (!found) throw new Error(`there is no frame ${type}`);
  return found;
}

const lookUp = (
  name: string,
  summary: string,
  type: GatewayFrame["type"],
  query?: z.ZodObject,
): Operation => ({
  ...{ method: "get", path: `${HIVE}/${name}`, tag: "Swarm", needs: "telemetry:read", summary },
  description: "It makes the swarm's host look: at most five at once and one a second for each client.",
  ...(query && { query }),
  answers: { 200: frame(type) },
});

const socket = (
  path: string,
  summary: string,
  needs: Operation["needs"],
  query?: z.ZodObject,
): Operation => ({
  ...{ method: "get", path, tag: "Sessions", needs, summary, ...(query && { query }) },
  description:
    "A WebSocket. Browsers send the subprotocols `hivegate.v1` and the token. What is said on it: docs/PROTOCOL.md.",
  answers: { 101: null },
});

export const SWARM_OPERATIONS: readonly Operation[] = [
  lookUp(
    "agents",
    "The swarms by the swarm's own commands, and what MCP says beside them",
    "multi_agent_update",
  ),
  lookUp("discovery", "Docker's health, and every MCP server pinged", "discovery"),
  lookUp(
    "topology",
    "How the swarms are put together",
    "topology_update",
    z.object({ swarm_id: SwarmId.optional() }),
  ),
  lookUp("performance", "Every agent's figures, and the container's", "performance_analysis"),
  socket(`${HIVE}/stream`, "Watch and drive the swarm", "telemetry:read", HelloQuery),
  socket(`${HIVE}/relay`, "Talk to the swarm's orchestrator", "relay:read", RelayQuery),
  socket("/api/multi-mcp/ws", "The same as the stream, in VisionFlow's dialect", "telemetry:read", ofHive),
  {
    ...{ method: "get", path: `${HIVE}/relay/orchestrators`, tag: "Sessions", needs: "relay:admin" },
    summary: "Where the relay leads",
    answers: { 200: OrchestratorsAnswer },
  },
  {
    ...{ method: "put", path: `${HIVE}/relay/orchestrators`, tag: "Sessions", needs: "relay:admin" },
    summary: "Lead the relay elsewhere",
    body: OrchestratorsChange,
    answers: { 200: OrchestratorsAnswer },
  },
  {
    ...{ method: "get", path: "/health/hybrid", tag: "Monitoring", needs: null, query: ofHive },
    summary: "How a hive is, really looked at, at most a second old",
    answers: { 200: HybridHealth, 503: HybridHealth },
  },
  {
    ...{ method: "get", path: "/healthz", tag: "Monitoring", needs: null },
    summary: "Whether the gateway answers",
    answers: { 200: z.object({ ok: z.literal(true) }) },
  },
  {
    ...{ method: "get", path: "/metrics", tag: "Monitoring", needs: "metrics:read", query: ofHive },
    summary: "A hive's metrics",
    answers: { 200: TEXT },
  },
  {
    ...{ method: "get", path: `${HIVE}/metrics`, tag: "Monitoring", needs: "metrics:read" },
    summary: "The same, by the hive's name",
    answers: { 200: TEXT },
  },
  {
    ...{ method: "get", path: `${HIVE}/audit`, tag: "Monitoring", needs: "audit:read" },
    summary: "Who asked for what, and how it went",
    description:
      "The last line holds the chain's end: `hivegate audit verify` proves that nothing was altered.",
    query: z.object({ after: z.int().nonnegative().optional(), limit: z.int().positive().optional() }),
    answers: { 200: { media: "application/x-ndjson", description: "An entry a line, then `{head}`." } },
  },
];
