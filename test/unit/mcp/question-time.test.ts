import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished, vi } from "vitest";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import { McpLink } from "../../../sidecar/mcp/link.ts";
import type { Exchange } from "../../../sidecar/mcp/upstream.ts";
import { tcpWire } from "../../../sidecar/mcp/wires/tcp.ts";
import { portOf } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const TIMEOUT_MS = 100;
const CALL = { method: "tools/call", params: { name: "ask" } };

/** A server that asks its client something in each call, and answers the call once the client has accepted. */
async function openLink(): Promise<McpLink> {
  const server = createServer((socket) => {
    const send = (message: object) => socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    createInterface({ input: socket }).on("line", (line) => {
      const { id, method, result } = JSON.parse(line);
      if (method === "initialize") send({ id, result: { protocolVersion: "2024-11-05", capabilities: {} } });
      else if (method === "tools/call") send({ id: `of ${id}`, method: "elicitation/create", params: {} });
      else if (result?.action === "accept") send({ id: id.slice(3), result });
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return McpLink.open({
    ...{
      name: "asking",
      wire: tcpWire({ host: "127.0.0.1", port: portOf(server) }),
      token: null,
      era: "2025",
    },
    ...{ connectTimeoutMs: 5_000, log: recordingLog().log },
    ...{ newId: () => crypto.randomUUID(), signal: new AbortController().signal },
    onNotification: () => {},
    onSilent: (ping) => ping(),
    onMissed: () => {},
    onOver: () => {},
  });
}

const exchangeWith = (onRequest: NonNullable<Exchange["onRequest"]>): Exchange => ({
  ...{ client: "a", signal: new AbortController().signal, timeoutMs: TIMEOUT_MS, onRequest },
});

it("T1 a call's time stands still while its client thinks about a question", async () => {
  const link = await openLink();
  const thinking = Promise.withResolvers<McpAnswer>();
  const startedMs = performance.now();
  const answer = link.ask(
    CALL,
    TIMEOUT_MS,
    exchangeWith(() => thinking.promise),
  );
  await vi.waitUntil(() => performance.now() - startedMs > 4 * TIMEOUT_MS);
  const accepted = { result: { action: "accept" } };
  thinking.resolve(accepted);
  expect(await answer).toEqual(accepted);
});

it("T1 a call's time goes on once its client has answered", async () => {
  const link = await openLink();
  const answer = link.ask(
    CALL,
    TIMEOUT_MS,
    exchangeWith(async () => ({ result: { action: "decline" } })),
  );
  await expect(answer).rejects.toMatchObject({ code: "timeout" });
});
