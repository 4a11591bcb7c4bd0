/** The official SDK's client, as a person's MCP client would use it against the gateway, with somebody to answer its questions. */
import { Client, type FetchLike, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { onTestFinished } from "vitest";

/** What a client can be made to speak. `auto` asks the server, and takes the newest that both know. */
export const CLIENT_ERAS = ["2025", "2026", "auto"] as const;
export type ClientEra = (typeof CLIENT_ERAS)[number];
const MODES = { "2025": "legacy", "2026": { pin: "2026-07-28" }, auto: "auto" } as const;

export type McpClient = Client & {
  /** What the server asked, in the order it did: the message of an elicitation, the prompt of a sampling. */
  asked: string[];
  /** Methods of the notifications that came, in order. */
  heard: string[];
};

/** Patient enough for a gateway that is started again. */
const RECONNECTION = {
  initialReconnectionDelay: 100,
  reconnectionDelayGrowFactor: 1.5,
  maxReconnectionDelay: 1_000,
  maxRetries: 30,
};

const NOTIFICATIONS = [
  "notifications/message",
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/updated",
] as const;

/** Connected; hangs up with the test. `fetch`: where something else than a token is wanted. */
export async function mcpClient(
  url: string,
  { token, era, fetch }: { era: ClientEra; token?: string; fetch?: FetchLike },
): Promise<McpClient> {
  const client = new Client(
    { name: "hivegate-test", version: "1.0.0" },
    {
      capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} },
      versionNegotiation: { mode: MODES[era] },
    },
  );
  const asked: string[] = [];
  const heard: string[] = [];
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(params.message);
    return { action: "accept", content: { name: "Ada", response: "yes", ok: true, context: "bees" } };
  });
  client.setRequestHandler("sampling/createMessage", ({ params }) => {
    asked.push(JSON.stringify(params.messages[0]?.content));
    return { role: "assistant", model: "test", content: { type: "text", text: "Paris" } };
  });
  client.setRequestHandler("roots/list", () => {
    asked.push("roots");
    return { roots: [{ uri: "file:///home/ada", name: "home" }] };
  });
  for (const method of NOTIFICATIONS)
    client.setNotificationHandler(method, () => {
      heard.push(method);
    });
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    ...(token !== undefined && { requestInit: { headers: { Authorization: `Bearer ${token}` } } }),
    ...(fetch && { fetch }),
    reconnectionOptions: RECONNECTION,
  });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return Object.assign(client, { asked, heard });
}

/** The text of a tool's answer. */
export function textOf(result: { content: readonly { type: string; text?: unknown }[] }): string {
  return result.content.flatMap(({ type, text }) => (type === "text" ? [String(text)] : [])).join("\n");
}
