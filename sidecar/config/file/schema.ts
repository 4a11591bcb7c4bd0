/**
 * What a file of MCP servers may say, as it is written: variables not yet replaced, so any text may hold `${NAME}`. The
 * descriptions are what editors show, and what docs/config/REFERENCE.md is made of.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import { z } from "zod";
import { ConfigValue } from "../../../shared/protocol/config.ts";
import { commonFields, ServerName } from "../../mcp/server-config.ts";

const text = z.string("expected text in double quotes").min(1, "expected a text that is not empty");
const texts = z.array(z.string("expected text in double quotes"), "expected a list of texts");
const named = z.record(
  z.string(),
  z.string("expected text in double quotes"),
  "expected an object of names and texts",
);
/** A number, or a text that is one when its variables are replaced. */
const number = <T extends z.ZodType>(plain: T) =>
  z.union([plain, z.string().regex(/\$\{.+\}/, NUMBER)], NUMBER);
const NUMBER = "expected a number or ${NAME}";

const kindOf = <T extends string>(...words: [T, ...T[]]) =>
  z.enum(words).optional().describe("How it is reached; when not given, it follows from the other fields.");
const variables = named.optional().describe("Its environment, by variable.");
const args = texts.optional().describe("The command's arguments, one each; no shell sees them.");
const headers = named.optional().describe("Sent along with each request to it.");

/** What belongs to no way of being reached. All of it may be left out. */
const { cache, category, eager, generic, pool, profile, timeoutMs } = commonFields;
const { agent_names, allowed_tools } = ConfigValue.shape;
const COMMON = {
  description: z.string().optional().describe("What it is for: for people."),
  tags: texts.optional().describe("For people."),
  enabled: z.boolean().optional().describe("false: it is kept, and not used. true when not given."),
  disabled: z.boolean().optional().describe("The same, the other way round, as other tools have it."),
  agentNames: agent_names.unwrap().optional().describe("The agents that it is for."),
  allowedTools: allowed_tools
    .unwrap()
    .optional()
    .describe(
      "Its tools by name, * stands for anything: no other one is there for anybody. All when not given.",
    ),
  profile: profile.describe(
    "Whose agents it tells of: a swarm's server is of one of these kinds. Without it it has tools, and nothing else is asked of it.",
  ),
  generic: generic.describe("With the profile generic: how it tells of its agents."),
  pool: pool.describe(
    "Servers of one pool tell of the same agents, and any one of them is asked. Its own name when not given.",
  ),
  category: category.describe("Under what its tools are found, where their names do not say it."),
  cache: cache.describe(
    "Tools by name, * stands for anything, whose answers may be kept for so many milliseconds, or never (false), where its own hints are missing or wrong.",
  ),
  eager: eager.describe("Connect at the start rather than when it is first asked something."),
  timeoutMs: number(timeoutMs.unwrap())
    .optional()
    .describe(
      "How long a request to it may take, in milliseconds, where its client does not say otherwise. 60000 when not given.",
    ),
  priority: z.int().optional().describe(olderSetting("0")),
  maxRetries: z.int().optional().describe(olderSetting("3")),
  timeoutSeconds: z.int().optional().describe(olderSetting("30")),
  autoStart: z.boolean().optional().describe(olderSetting("true")),
};

/** Fields that say nothing of what is started or reached. */
export const COMMON_FIELDS: readonly string[] = Object.keys(COMMON);

/** See `old/settings.ts`. */
function olderSetting(otherwise: string): string {
  return `Of the older system that servers were migrated from: kept for the way back, and means nothing here. ${otherwise} when not given.`;
}

export const SHAPES = {
  stdio: z
    .object({
      type: kindOf("stdio"),
      command: text.describe("A program of the sidecar's host, started without a shell."),
      args,
      env: variables,
      cwd: text.optional().describe("Where it is started."),
      ...COMMON,
    })
    .describe(
      "A process of the sidecar's host. It gets PATH, HOME, LANG and what env says, and nothing else.",
    ),
  "docker-exec": z
    .object({
      type: kindOf("docker-exec"),
      container: text.describe("A container that ALLOWED_CONTAINERS names."),
      command: text.describe("A program in that container, started without a shell."),
      args,
      env: variables,
      workdir: text.optional().describe("Where in the container it is started: an absolute path."),
      ...COMMON,
    })
    .describe("A process in a container."),
  http: z
    .object({
      type: kindOf("http", "streamable-http", "streamableHttp"),
      url: text.describe("Its http:// or https:// address."),
      headers,
      ...COMMON,
    })
    .describe("A server that is reached by streamable HTTP."),
  ws: z
    .object({
      type: kindOf("ws", "websocket"),
      url: text.describe("Its ws:// or wss:// address."),
      headers,
      ...COMMON,
    })
    .describe("A server that is reached by WebSocket."),
  tcp: z
    .object({
      type: kindOf("tcp"),
      host: text.describe("A host's name or address."),
      port: number(z.int().min(1).max(65_535)).describe("From 1 to 65535."),
      token: text.nullish().describe("What it wants to be sent first, if it wants something."),
      ...COMMON,
    })
    .describe("A server that is reached by TCP, with a message a line."),
} as const;

export type Kind = keyof typeof SHAPES;

export const McpFile = z.object({
  $schema: z.string().optional().describe("For editors: this schema's address or path."),
  mcpServers: z
    .record(ServerName, z.union([SHAPES.stdio, SHAPES["docker-exec"], SHAPES.http, SHAPES.ws, SHAPES.tcp]))
    .describe("MCP servers by name."),
});
