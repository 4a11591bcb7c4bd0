/** Tools that answer without asking anything back. */
import { setTimeout as delay } from "node:timers/promises";
import { fromJsonSchema, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { audio, embedded, image, says, text } from "./content.ts";

/** Between two notifications of one call, so that whoever gathers them instead of passing them on is seen. */
const PAUSE_MS = 50;
const NOTHING = z.object({});

export function registerPlainTools(server: McpServer): void {
  const answers = {
    test_simple_text: [text("This is a simple text response for testing.")],
    test_image_content: [image],
    test_audio_content: [audio],
    test_embedded_resource: [embedded("test://embedded-resource", "text/plain", "An embedded resource.")],
    test_multiple_content_types: [
      text("Several kinds at once:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    // No more is asked of it than that no request of the server's own is on the stream of its answer.
    test_streaming_elicitation: [text("Nothing was asked on this stream.")],
  };
  for (const [name, content] of Object.entries(answers))
    server.registerTool(name, { description: "Answers with fixed content" }, () => ({ content }));

  server.registerTool("test_error_handling", { description: "Always fails" }, () => {
    throw new Error("This tool always fails, as it should");
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Has a schema that must come through unchanged", inputSchema: SCHEMA_2020_12 },
    (args) => says(JSON.stringify(args)),
  );
  server.registerTool(
    "test_x_mcp_header",
    { description: "Takes an argument that is repeated in a header", inputSchema: MIRRORED_IN_A_HEADER },
    ({ region }) => says(`region: ${region ?? "none"}`),
  );
  registerNoisyTools(server);
}

function registerNoisyTools(server: McpServer): void {
  server.registerTool(
    "test_tool_with_logging",
    { description: "Logs three lines while it works", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      for (const line of ["started", "working", "done"]) {
        await mcpReq.log("info", line);
        await delay(PAUSE_MS);
      }
      return says("Logged three lines");
    },
  );
  server.registerTool(
    "test_logging_tool",
    { description: "Logs a line to those who asked for lines", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      await mcpReq.log("info", "working");
      return says("Logged a line");
    },
  );
  server.registerTool(
    "test_tool_with_progress",
    { description: "Reports its progress three times", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken === undefined) return says("Nobody asked for progress");
      for (const progress of [0, 50, 100]) {
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100, message: `${progress} of 100` },
        });
        await delay(PAUSE_MS);
      }
      return says(String(progressToken));
    },
  );
  server.registerTool(
    "test_reconnection",
    { description: "Closes the stream of its answer before it answers", inputSchema: NOTHING },
    async (_, { http }) => {
      http?.closeSSE?.();
      await delay(PAUSE_MS);
      return says("Answered after the stream was closed");
    },
  );
}

/** SEP-2243. */
const region = { type: "string" as const, "x-mcp-header": "Region" };
const MIRRORED_IN_A_HEADER = fromJsonSchema<{ region?: string; level?: number }>({
  type: "object",
  properties: { region, level: { type: "integer" } },
});

const SCHEMA_2020_12 = fromJsonSchema<Record<string, unknown>>({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, in an object that nobody awaits.
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
});
