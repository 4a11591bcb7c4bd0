import { z } from "zod";
import {
  ConfigHistory,
  ConfigItem,
  ConfigList,
  ConfigStatus,
  ConfigValue,
  ReloadAnswer,
} from "../../shared/protocol/config.ts";
import { RolloutChange, RolloutStatus } from "../../shared/protocol/rollout.ts";
import type { Operation } from "./operation.ts";

const API = "/api/v1/mcp";
const query = z.object({ hive: z.string().optional().describe("The first one when not given.") });
const page = query.extend({
  before: z.int().positive().optional().describe("Older than this revision."),
  limit: z.int().positive().optional(),
});
const IF_MATCH = { "If-Match": "The version that is meant, by its ETag. Without it: 428; another one: 412." };
const IF_NONE_MATCH = { "If-None-Match": "An ETag that is known: 304 where nothing has changed." };
const read = { tag: "Configuration", needs: "config:read", query } as const;
const write = { tag: "Configuration", needs: "config:write", query } as const;

export const CONFIG_OPERATIONS: readonly Operation[] = [
  {
    ...{ method: "post", path: `${API}/reload`, ...write },
    summary: "Read the file of MCP servers again, now",
    answers: { 200: ReloadAnswer },
  },
  {
    ...{ method: "get", path: `${API}/status`, ...read },
    summary: "Which version is in force, who made it, and what went wrong last",
    answers: { 200: ConfigStatus },
  },
  {
    ...{ method: "get", path: `${API}/configs`, ...read, headers: IF_NONE_MATCH },
    summary: "All MCP servers that are configured",
    answers: { 200: ConfigList, 304: null },
  },
  {
    ...{ method: "get", path: `${API}/configs/:name`, ...read, headers: IF_NONE_MATCH },
    summary: "One MCP server's configuration",
    description:
      "Secrets are shown as `***`; given back so, they stay, as long as nothing changes of where they go.",
    answers: { 200: ConfigItem, 304: null },
  },
  {
    ...{ method: "put", path: `${API}/configs/:name`, ...write, headers: IF_MATCH },
    summary: "Configure an MCP server: it takes effect at once",
    body: ConfigValue,
    answers: { 200: ConfigItem, 201: ConfigItem },
  },
  {
    ...{ method: "delete", path: `${API}/configs/:name`, ...write, headers: IF_MATCH },
    summary: "Take an MCP server away: what it has under way goes on to its end",
    answers: { 204: null },
  },
  {
    ...{ method: "get", path: `${API}/configs/:name/history`, ...read, query: page },
    summary: "The versions of one MCP server's configuration, newest first",
    answers: { 200: ConfigHistory },
  },
  {
    ...{ method: "get", path: `${API}/history`, ...read, query: page },
    summary: "The versions of all of them",
    answers: { 200: ConfigHistory },
  },
  {
    ...{ method: "post", path: `${API}/configs/:name/restore`, ...write, headers: IF_MATCH },
    summary: "Make an older version the newest",
    body: z.strictObject({ revision: z.int().positive() }),
    answers: { 200: ConfigItem },
  },
  {
    ...{ method: "get", path: `${API}/rollout`, ...read },
    summary: "How far the change from the older system has come, and how its two paths compare",
    answers: { 200: RolloutStatus },
  },
  {
    ...{ method: "put", path: `${API}/rollout`, ...write },
    summary: "Let more clients, fewer, or none read the newer system",
    body: RolloutChange,
    answers: { 200: RolloutStatus },
  },
];
