import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, it, onTestFinished, vi } from "vitest";
import { JsonRpcRequest } from "../../../shared/protocol/mcp.ts";
import { McpLink } from "../../../sidecar/mcp/link.ts";
import { tcpWire } from "../../../sidecar/mcp/wires/tcp.ts";
import { portOf } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

/** Answers the greeting, then says all of this and never reads again. */
async function startDeafServer(says: Buffer) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (greeting) => {
      const [line = ""] = String(greeting).split("\n");
      const { id } = JsonRpcRequest.parse(JSON.parse(line));
      socket.pause();
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: {} })}\n`);
      socket.write(says);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

it("S6 a server that asks without end and does not read our answers is left", async () => {
  const ping = `${JSON.stringify({ jsonrpc: "2.0", id: "i".repeat(100), method: "ping" })}\n`;
  // Their answers are more than the limit and all that two kernels may hold.
  const port = await startDeafServer(Buffer.from(ping.repeat(300_000)));
  const { log, lines } = recordingLog();
  const over = vi.fn();
  const link = await McpLink.open({
    ...{ name: "deaf", wire: tcpWire({ host: "127.0.0.1", port }), token: null, era: "2025" },
    ...{ connectTimeoutMs: 5_000, log },
    ...{ newId: () => crypto.randomUUID(), signal: new AbortController().signal },
    onNotification: () => {},
    onSilent: (ping) => ping(),
    onMissed: () => {},
    onOver: over,
  });
  await vi.waitFor(() => expect(over).toHaveBeenCalledWith(link), { timeout: 15_000 });
  expect(lines.join()).toContain("does not read");
}, 20_000);
