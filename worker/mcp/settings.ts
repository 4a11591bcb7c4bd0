/** What the one who runs the gateway says about MCP: see docs/CONFIG.md. */
import { z } from "zod";
import { jsonText } from "../json-text.ts";
import { NO_RULES, Rules } from "./rules.ts";

export type McpSettings = {
  rules: Rules;
  /** What a client may ask; twice as much at once. Above it `rate_limited`. */
  requestsPerSecond: number;
  /** Origins of pages whose scripts may ask, beside the gateway's own; `*`: any. */
  allowedOrigins: readonly string[];
  /** Names, with the port if it is not the usual one, that the gateway may be asked by; null: see `origin.ts`. */
  allowedHosts: readonly string[] | null;
  /** Who gives tokens for this gateway, as MCP's clients are told. */
  authorizationServers: readonly string[];
  /** Where clients find the gateway, when it is not where it is asked: behind a proxy. */
  publicUrl: string | null;
};

export const DEFAULT_MCP: McpSettings = {
  rules: NO_RULES,
  requestsPerSecond: 500,
  allowedOrigins: [],
  allowedHosts: null,
  authorizationServers: [],
  publicUrl: null,
};

/** Separated by commas. */
export const commaList = (entry: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(z.array(entry).min(1).max(100));

const origin = z
  .string()
  .refine(
    (text) => text === "*" || (URL.canParse(text) && new URL(text).origin === text),
    "has to be origins, such as https://example.com, or *",
  );
const host = z
  .string()
  .regex(/^([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/, "has to be hosts, such as example.com:8787");
const httpUrl = z.url({ protocol: /^https?$/, error: "has to be http or https URLs" });

export const McpVariables = {
  MCP_RULES: jsonText.pipe(Rules).default(NO_RULES),
  MCP_REQUESTS_PER_SECOND: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(DEFAULT_MCP.requestsPerSecond),
  MCP_ALLOWED_ORIGINS: commaList(origin).default([]),
  MCP_ALLOWED_HOSTS: commaList(host).optional(),
  MCP_AUTHORIZATION_SERVERS: commaList(httpUrl).default([]),
  PUBLIC_URL: httpUrl
    .refine((url) => new URL(url).pathname === "/", "has a path: name only the gateway's host and port")
    .optional(),
};

const Variables = z.object(McpVariables);

export const mcpSettings = (variables: z.infer<typeof Variables>): McpSettings => ({
  rules: variables.MCP_RULES,
  requestsPerSecond: variables.MCP_REQUESTS_PER_SECOND,
  allowedOrigins: variables.MCP_ALLOWED_ORIGINS,
  allowedHosts: variables.MCP_ALLOWED_HOSTS ?? null,
  authorizationServers: variables.MCP_AUTHORIZATION_SERVERS,
  publicUrl: variables.PUBLIC_URL ? new URL(variables.PUBLIC_URL).origin : null,
});
