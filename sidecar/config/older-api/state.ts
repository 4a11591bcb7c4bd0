/** What the older system told of its servers. What is not known here is null. */
import type { Listing } from "../../mcp/registry/listing.ts";
import type { McpServer } from "../../mcp/servers.ts";

export type OlderStatus = "stopped" | "starting" | "running" | "error";

export type OlderState = {
  name: string;
  status: OlderStatus;
  started_at: null;
  last_error: null;
  error_count: null;
  connection_attempts: null;
  last_ping: null;
  tools_discovered: string[] | null;
  resources_discovered: string[] | null;
};

type Connection = Pick<McpServer["connection"], "isOpen" | "isFailing" | "pending" | "circuit">;

/** `connection` null: it is not enabled. One that nobody has used yet is stopped: it starts when it is used. */
export function statusOf(connection: Connection | null): OlderStatus {
  if (!connection) return "stopped";
  if (connection.isOpen) return "running";
  if (connection.isFailing || connection.circuit.state !== "closed") return "error";
  return connection.pending > 0 ? "starting" : "stopped";
}

export function stateOf(name: string, connection: Connection | null, listing: Listing | null): OlderState {
  return {
    name,
    status: statusOf(connection),
    started_at: null,
    last_error: null,
    error_count: null,
    connection_attempts: null,
    last_ping: null,
    tools_discovered: listing?.tools.map((tool) => tool.name) ?? null,
    resources_discovered: listing?.resources.map(({ uri }) => uri) ?? null,
  };
}

export type OlderTool = {
  name: string;
  description: string | null;
  server_name: string;
  input_schema: unknown;
  output_schema: unknown;
};

export const toolsOf = (server_name: string, { tools }: Pick<Listing, "tools">): OlderTool[] =>
  tools.map(({ name, description, inputSchema, outputSchema }) => ({
    name,
    description: textOf(description),
    server_name,
    input_schema: inputSchema ?? null,
    output_schema: outputSchema ?? null,
  }));

export const resourcesOf = (server_name: string, { resources }: Pick<Listing, "resources">) =>
  resources.map(({ uri, name, description, mimeType }) => ({
    uri,
    name: textOf(name),
    description: textOf(description),
    server_name,
    mime_type: textOf(mimeType),
  }));

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

export type OlderHealth = {
  status: "healthy" | "degraded" | "unhealthy";
  servers_total: number;
  servers_running: number;
  servers_error: number;
  tools_available: number;
  resources_available: number;
  timestamp: string;
};

type Standing = { status: OlderStatus; listing: Pick<Listing, "tools" | "resources"> | null };

/** Judged as the older system did: one that fails degrades it; where none runs, nothing works. */
export function healthOf(servers: readonly Standing[], nowMs: number): OlderHealth {
  const running = servers.filter(({ status }) => status === "running");
  const failing = servers.filter(({ status }) => status === "error");
  const isUnhealthy = running.length === 0 && servers.length > 0;
  return {
    status: isUnhealthy ? "unhealthy" : failing.length > 0 ? "degraded" : "healthy",
    servers_total: servers.length,
    servers_running: running.length,
    servers_error: failing.length,
    tools_available: running.reduce((sum, { listing }) => sum + (listing?.tools.length ?? 0), 0),
    resources_available: running.reduce((sum, { listing }) => sum + (listing?.resources.length ?? 0), 0),
    timestamp: new Date(nowMs).toISOString(),
  };
}
