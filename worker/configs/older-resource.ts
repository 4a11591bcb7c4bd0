/** `POST /api/v1/mcp/resources/access`: a resource as the older system gave it, read the way of MCP's own clients. */
import type { Context } from "hono";
import { z } from "zod";
import { asHivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { readFastApiBody } from "../../shared/wire/fastapi-body.ts";
import { readAnswer } from "../mcp/answer.ts";
import type { McpPorts } from "../mcp/endpoint.ts";
import { Exchange } from "../mcp/exchange.ts";
import { bodyOf } from "../mcp/forward.ts";
import { encoded, envelopeOf, REVISION } from "../mcp/mcp-headers.ts";
import { markRecorded } from "../mcp/recorded.ts";
import { failed, mayAsk, type OlderPorts, unknownServer } from "./older-tool.ts";

const Access = z.object({ server_name: z.string().min(1), uri: z.string().min(1) });

export async function readOlderResource(
  c: Context,
  ports: OlderPorts & { mcp: McpPorts },
): Promise<Response> {
  const { server_name, uri } = readFastApiBody(Access, await bodyOf(c.req.raw));
  if (!mayAsk(ports, server_name)) throw unknownServer(server_name);
  const { hive, identity, mcp } = ports;
  const { signal } = c.req.raw;
  const exchange = new Exchange(mcp, { hive, server: server_name, request: reading(c, uri) });
  const outcome = await exchange
    .answer(identity)
    .then((response) => readAnswer(response, signal))
    .then(outcomeOf)
    .catch((thrown) => {
      exchange.refused(asHivegateError(thrown));
      markRecorded(thrown);
      const { result: _, ...failure } = failed(thrown);
      return { ...failure, content: null, mime_type: null };
    });
  return c.json({ ...outcome, uri, server_name });
}

/** What a client of 2026 would send. */
function reading(c: Context, uri: string): Request {
  const method = "resources/read";
  const params = { uri, _meta: envelopeOf({ name: "hivegate", version: "1" }) };
  return new Request(new URL("/mcp", c.req.url), {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": REVISION,
      ...{ "mcp-method": method, "mcp-name": encoded(uri) },
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: c.req.raw.signal,
  });
}

const Contents = z.object({
  contents: z.array(
    z.object({
      mimeType: z.string().optional(),
      text: z.string().optional(),
      blob: z.string().optional(),
    }),
  ),
});

/** Several contents become one text, each beginning a line; bytes are in base64. */
function outcomeOf(answer: McpAnswer) {
  const read = "result" in answer ? Contents.safeParse(answer.result).data : undefined;
  if (!read) {
    const error = "error" in answer ? answer.error.message : "The server's answer holds no contents.";
    return { success: false, content: null, mime_type: null, error };
  }
  const content = read.contents.map(({ text, blob }) => text ?? blob ?? "").join("\n");
  return { success: true, content, mime_type: read.contents[0]?.mimeType ?? null, error: null };
}
