/** The HTTP interface as an OpenAPI 3.1 document, from the schemas that the gateway itself works with. */
import { z } from "zod";
import { ERROR_CODES, ERRORS } from "../../shared/errors.ts";
import { ConfigConflict, ConfigItem, ConfigProblem, ConfigVersion } from "../../shared/protocol/config.ts";
import {
  Circuit,
  ContainerFigures,
  McpTelemetry,
  ServerState,
  Swarm,
  SwarmTopology,
  Telemetry,
} from "../../shared/protocol/sidecar.ts";
import { RegistryServer, ToolChunk } from "../../shared/protocol/tools.ts";
import { Agent } from "../../shared/swarm/agent.ts";
import { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { CONFIG_OPERATIONS } from "./config.ts";
import { OLDER_OPERATIONS } from "./older.ts";
import { type Content, isMedia, type Operation } from "./operation.ts";
import { SWARM_OPERATIONS } from "./swarm.ts";
import { TASK_OPERATIONS } from "./tasks.ts";
import { TOOL_OPERATIONS } from "./tools.ts";

export const OPERATIONS: readonly Operation[] = [
  ...TASK_OPERATIONS,
  ...SWARM_OPERATIONS,
  ...TOOL_OPERATIONS,
  ...CONFIG_OPERATIONS,
  ...OLDER_OPERATIONS,
];

const Json = z.record(z.string(), z.unknown());
type Json = z.infer<typeof Json>;

/** What many answers hold is told once, by these names. */
const NAMED = z.registry<{ id: string }>();
for (const [id, schema] of Object.entries({
  ...{ Agent, Task, TaskEvent, ServerState, Circuit, Swarm, SwarmTopology, ContainerFigures, McpTelemetry },
  ...{ ToolChunk, RegistryServer, Telemetry, ConfigItem, ConfigVersion, ConfigConflict, ConfigProblem },
}))
  NAMED.add(schema, { id });

const ErrorBody = z.object({
  code: z.enum(ERROR_CODES).describe("Stable: go by this one."),
  message: z.string().describe("What to do."),
  retryable: z.boolean().describe("The same request may succeed later."),
  retry_after: z.int().optional().describe("Seconds, as in the header Retry-After."),
});

/** `version`: of what is described. */
export function openApi({ version, license }: { version: string; license: string }): Json {
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) {
    const path = operation.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [operation.method]: toOpenApi(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Hivegate",
      version,
      description:
        "Watch and drive an agent swarm in a container from anywhere. The WebSockets are in docs/PROTOCOL.md.",
      license: { name: license, identifier: license },
    },
    servers: [{ url: "/", description: "The gateway." }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        key: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
      schemas: { Error: schemaOf(ErrorBody, "output"), ...named() },
      responses: { Error: errorResponse() },
    },
  };
}

function toOpenApi({ method, path, needs, tag, summary, description, ...rest }: Operation): Json {
  const told = needs === null || needs === "token" ? null : `Permission \`${needs}\`.`;
  return {
    operationId: idOf(method, path),
    tags: [tag],
    summary,
    ...((description || told) && { description: [description, told].filter(Boolean).join(" ") }),
    ...(needs === null && { security: [] }),
    ...(needs !== null && path.startsWith("/api/v1/mcp") && { security: [{ token: [] }, { key: [] }] }),
    parameters: [...pathParameters(path), ...queryParameters(rest.query), ...headerParameters(rest.headers)],
    ...(rest.body && { requestBody: { required: true, content: contentOf(rest.body, "input") } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(rest.answers).map(([status, content]) => [status, responseOf(status, content)]),
      ),
      default: { $ref: "#/components/responses/Error" },
    },
  };
}

const idOf = (method: string, path: string): string =>
  [method, ...path.split(/\W+/).filter((word) => word !== "" && !/^v1$/.test(word))].join("_");

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: "path", required: true },
    schema: { type: "string" },
  }));

function queryParameters(query: z.ZodObject | undefined): Json[] {
  const { properties = {}, required = [] } = query ? z.toJSONSchema(query, OPTIONS.input) : {};
  return Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: "query", required: required.includes(name) },
    schema,
  }));
}

const headerParameters = (headers: Operation["headers"] = {}): Json[] =>
  Object.entries(headers).map(([name, description]) => ({
    ...{ name, in: "header", description },
    schema: { type: "string" },
  }));

const responseOf = (status: string, content: Content | null): Json => ({
  description: (content && isMedia(content) && content.description) || STATUS[status] || "Done.",
  ...(content && { content: contentOf(content, "output") }),
});

const STATUS: Readonly<Record<string, string>> = {
  101: "The WebSocket is open.",
  201: "It is new.",
  202: "Taken.",
  204: "Gone.",
  304: "Nothing has changed.",
  502: "The server that was asked answered with an error.",
  503: "Critical.",
};

const contentOf = (content: Content, io: "input" | "output"): Json =>
  isMedia(content) ? { [content.media]: {} } : { "application/json": { schema: schemaOf(content, io) } };

/** What JSON Schema cannot say, such as that two ids differ, it leaves out. */
const OPTIONS = {
  input: { io: "input", unrepresentable: "any" },
  output: { io: "output", unrepresentable: "any", metadata: NAMED },
} as const;

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, $defs: __, ...rest } = z.toJSONSchema(schema, OPTIONS[io]);
  return referring(rest);
}

function named(): Json {
  const { schemas } = z.toJSONSchema(NAMED, { ...OPTIONS.output, uri: (id) => `${DEFINITIONS}${id}` });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...rest }]) => [id, referring(rest)]),
  );
}

const DEFINITIONS = "#/$defs/";

/** As references are in OpenAPI. */
function referring(schema: object): Json {
  return Json.parse(
    JSON.parse(JSON.stringify(schema).replaceAll(`"${DEFINITIONS}`, '"#/components/schemas/')),
  );
}

const errorResponse = (): Json => ({
  description: Object.entries(ERRORS)
    .map(([code, { http }]) => `${code} (${http})`)
    .join(", "),
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
});
