/** What may be said of an MCP server: how it is reached, and what is known of it beforehand. */
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { ConfigValue } from "../../shared/protocol/config.ts";
import { GATEWAY_SERVER, QUALIFIER } from "../../shared/protocol/tools.ts";
import { containerName } from "../config-variables.ts";
import { GenericTools } from "./generic-tools.ts";

/** What a server's tools are called, and how its answers are read: see `telemetry/profiles.ts`. */
export const McpProfileName = z.enum(["demo", "claude-flow@3", "claude-flow@2", "ruv-swarm", "generic"]);
export type McpProfileName = z.infer<typeof McpProfileName>;

/** What a swarm's own server is called where nobody gave it a name: its kind, without the version. */
export const serverNameOf = (profile: McpProfileName): string => profile.replace(/@.*$/, "");

export const ServerName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, "a server's name is letters, digits, _, - and ., at most 63")
  .refine((name) => !name.includes(QUALIFIER), `a server's name has no ${QUALIFIER} in it`)
  // `a_` and `__b` would be read as `a` and `_b`.
  .refine((name) => !name.endsWith("_"), "a server's name does not end in _")
  .refine(
    (name) => name.toLowerCase() !== GATEWAY_SERVER,
    `${GATEWAY_SERVER} is the name of the gateway's own tools`,
  );

const argument = z.string().refine((text) => !text.includes("\0"), "expected text without NUL");
const command = argument.min(1);
const variables = z.record(z.string().regex(/^[A-Za-z_]\w*$/, "expected names of variables"), argument);
/** As `fetch` accepts them. What is said in them may be a secret, so it is never shown. */
const headers = z.record(
  z.string().regex(/^[!#$%&'*+.^`|~\w-]+$/, "expected a header's name"),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, "expected a header's value"),
);
const address = (protocol: RegExp, error: string) => z.url({ protocol, error });

/** What every server may have, however it is reached. */
export const commonFields = {
  /** Servers of one pool tell of the same agents, and any one of them is asked. The server's own name when not given. */
  pool: ServerName.optional(),
  /** Whose agents it tells of. Without it it tells of none: it has tools, and nothing else is asked of it. */
  profile: McpProfileName.optional(),
  generic: GenericTools.optional(),
  /** Under what its tools are found, where their names do not say it. */
  category: z.string().min(1).max(100).optional(),
  /**
   * Tools by name (`*` stands for anything) whose answers may be kept, for so many milliseconds, or never (false), where
   * the server's own hints are missing or wrong.
   */
  cache: z
    .strictObject({
      tools: z
        .record(z.string().min(1).max(200), z.union([z.literal(false), z.int().positive()]))
        .describe("Milliseconds, or false, by tool."),
    })
    .optional(),
  /** Connect at the start rather than when it is first asked something. */
  eager: z.boolean().optional(),
  /** How long a client's request to it may take, where the client does not say otherwise: `LIMITS.mcpExchangeMs` if not given. */
  timeoutMs: z.int().min(1).max(LIMITS.mostToolStreamSilenceMs).optional(),
};

const common = {
  name: ServerName,
  /** Tools by name (`*` stands for anything): no other one of this server is there for anybody. All when not given. */
  allowedTools: ConfigValue.shape.allowed_tools.unwrap().optional(),
  ...commonFields,
};

const Tcp = z.object({
  ...common,
  type: z.literal("tcp"),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  token: z.string().min(1).nullish(),
});
/** A process of this host. It gets PATH, HOME, LANG and what `env` says, and nothing else of our environment. */
const Stdio = z.object({
  ...common,
  type: z.literal("stdio"),
  command,
  args: z.array(argument).default([]),
  env: variables.default({}),
  cwd: z.string().min(1).optional(),
});
/** A process in a container that ALLOWED_CONTAINERS names. */
const DockerExec = z.object({
  ...common,
  type: z.literal("docker-exec"),
  container: containerName,
  command,
  args: z.array(argument).default([]),
  env: variables.default({}),
  workdir: z.string().startsWith("/", "expected an absolute path").optional(),
});
const Http = z.object({
  ...common,
  type: z.literal("http"),
  url: address(/^https?$/, "expected an http:// or https:// address"),
  headers: headers.default({}),
});
const WebSocketServer = z.object({
  ...common,
  type: z.literal("ws"),
  url: address(/^wss?$/, "expected a ws:// or wss:// address"),
  headers: headers.default({}),
});

const Typed = z.discriminatedUnion("type", [Tcp, Stdio, DockerExec, Http, WebSocketServer]);

/** Without a type it is reached over TCP. */
const withType = (entry: unknown): unknown =>
  typeof entry === "object" && entry !== null && !("type" in entry) ? { type: "tcp", ...entry } : entry;

export const McpServerConfig = z
  .preprocess(withType, Typed)
  .refine(({ profile, generic }) => generic === undefined || profile === "generic", {
    path: ["generic"],
    message: "expected only with the profile generic",
  });
export type McpServerConfig = z.infer<typeof McpServerConfig>;
export type McpServerConfigOf<Type extends McpServerConfig["type"]> = Extract<
  McpServerConfig,
  { type: Type }
>;

export const poolOf = ({ pool, name }: McpServerConfig): string => pool ?? name;

export const SAME_PROFILE = "the MCP servers of a pool need the same profile";

/** The first server whose profile is not that of the server that its pool begins with. */
export function poolStranger(configs: readonly McpServerConfig[]): McpServerConfig | null {
  const profiles = new Map<string, McpProfileName | undefined>();
  for (const config of configs) {
    const pool = poolOf(config);
    if (!profiles.has(pool)) profiles.set(pool, config.profile);
    if (profiles.get(pool) !== config.profile) return config;
  }
  return null;
}

export const McpServerConfigs = z
  .array(McpServerConfig)
  .refine((configs) => new Set(configs.map(({ name }) => name)).size === configs.length, {
    message: "every MCP server needs a name of its own",
  })
  .refine((configs) => poolStranger(configs) === null, { message: SAME_PROFILE });

/** Where it is, as one line without secrets: a server that was moved is not the one that failed before. */
export function placeOf(config: McpServerConfig): string {
  switch (config.type) {
    case "tcp":
      return `${config.host}:${config.port}`;
    case "stdio":
      return `stdio:${config.command}`;
    case "docker-exec":
      return `${config.container}:${config.command}`;
    case "http":
    case "ws":
      return new URL(config.url).origin;
  }
}
