/** What the older system's clients go on asking: refusals are its own too, `{detail}`. */
import { z } from "zod";
import { OlderHealth } from "../configs/older-health.ts";
import type { Operation } from "./operation.ts";

const API = "/api/v1/mcp";
const query = z.object({ hive: z.string().optional().describe("The first one when not given.") });
const read = { tag: "Older configuration", needs: "config:read", query } as const;
const write = { tag: "Older configuration", needs: "config:write", query } as const;
const SERVER = `${API}/servers/:name`;
const ASSIGNED = `${API}/agents/:agent/servers/:name`;

const Done = z.object({ status: z.literal("success"), message: z.string() });
const State = z.looseObject({
  name: z.string(),
  status: z.enum(["stopped", "starting", "running", "error"]),
});
const States = z.object({ servers: z.array(State), total: z.int() });
const Settings = z
  .looseObject({
    ...{ command: z.array(z.string()), env: z.record(z.string(), z.string()), http_url: z.string() },
    ...{ agent_names: z.array(z.string()), description: z.string(), auto_start: z.boolean() },
  })
  .partial();
const told = { server_name: z.string(), description: z.string().nullable() };
const schemas = { input_schema: z.unknown(), output_schema: z.unknown() };
const Tool = z.object({ name: z.string(), ...told, ...schemas });
const AgentTool = z.object({ tool_name: z.string(), ...told, ...schemas });
const Found = z.object({
  ...{ uri: z.string(), name: z.string().nullable(), ...told },
  mime_type: z.string().nullable(),
});
const Called = z.object({
  ...{ success: z.boolean(), result: z.unknown(), error: z.string().nullable() },
  ...{ execution_time_ms: z.number(), tool_name: z.string(), server_name: z.string() },
});
const Resource = z.object({
  ...{ success: z.boolean(), content: z.string().nullable(), mime_type: z.string().nullable() },
  ...{ error: z.string().nullable(), uri: z.string(), server_name: z.string() },
});

export const OLDER_OPERATIONS: readonly Operation[] = [
  {
    ...{ method: "get", path: `${API}/health`, tag: "Older configuration", needs: null, query },
    summary: "How many servers run",
    answers: { 200: OlderHealth },
  },
  {
    ...{ method: "post", path: `${API}/configure`, ...write },
    summary: "Create or replace servers, all or none",
    body: z.object({ mcpServers: z.record(z.string(), z.looseObject({})) }),
    answers: { 200: States },
  },
  {
    ...{ method: "get", path: `${API}/servers`, ...read, summary: "All servers" },
    answers: { 200: States },
  },
  {
    ...{ method: "post", path: `${API}/servers`, ...write, summary: "Create a server" },
    body: Settings.extend({ name: z.string(), server_type: z.enum(["stdio", "http"]) }),
    answers: { 200: State },
  },
  {
    ...{ method: "get", path: SERVER, ...read, summary: "One server" },
    answers: { 200: State },
  },
  {
    ...{ method: "put", path: SERVER, ...write, summary: "Change what is given of a server", body: Settings },
    answers: { 200: State },
  },
  {
    ...{ method: "delete", path: SERVER, ...write, summary: "Remove a server" },
    answers: { 200: Done },
  },
  ...(["start", "stop", "restart"] as const).map(
    (action): Operation => ({
      ...{ method: "post", path: `${SERVER}/${action}`, ...write, summary: `${action} a server` },
      answers: { 200: Done },
    }),
  ),
  {
    ...{ method: "get", path: `${SERVER}/tools`, ...read, summary: "A server's tools" },
    answers: { 200: z.object({ server_name: z.string(), tools: z.array(Tool), total: z.int() }) },
  },
  {
    ...{ method: "get", path: `${SERVER}/resources`, ...read, summary: "A server's resources" },
    answers: { 200: z.object({ server_name: z.string(), resources: z.array(Found), total: z.int() }) },
  },
  {
    ...{ method: "get", path: `${API}/agents/:agent/servers`, ...read, summary: "An agent's servers" },
    answers: { 200: States },
  },
  {
    ...{
      method: "get",
      path: `${API}/agents/:agent/tools`,
      ...read,
      summary: "The tools of an agent's servers",
    },
    answers: {
      200: z.object({
        ...{ agent_name: z.string(), tools: z.array(AgentTool), total: z.int() },
        servers: z.array(z.string()),
      }),
    },
  },
  {
    ...{ method: "post", path: ASSIGNED, ...write, summary: "Assign a server to an agent" },
    answers: { 200: Done },
  },
  {
    ...{ method: "delete", path: ASSIGNED, ...write, summary: "Take a server from an agent" },
    answers: { 200: Done },
  },
  {
    ...{ method: "post", path: `${API}/tools/call`, tag: "Older configuration", needs: "token", query },
    summary: "Call a tool",
    description: "Allowed, limited and recorded as all calls are.",
    body: z.object({
      ...{ server_name: z.string(), tool_name: z.string() },
      arguments: z.record(z.string(), z.unknown()).optional(),
    }),
    answers: { 200: Called },
  },
  {
    ...{ method: "post", path: `${API}/resources/access`, tag: "Older configuration", needs: "token", query },
    summary: "Read a resource",
    body: z.object({ server_name: z.string(), uri: z.string() }),
    answers: { 200: Resource },
  },
];
