/** The least that an orchestrator can be: it answers a JSON-RPC call with what it was given, and sends all else back. */
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { portOf } from "../../support/line-server.ts";
import { answerParent } from "./child.ts";

const BRACE = "{".charCodeAt(0);

answerParent({
  async start() {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    const server = new WebSocketServer({ server: http, perMessageDeflate: false });
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer, isBinary) => {
        socket.send(data[0] === BRACE ? answerTo(String(data)) : data, { binary: isBinary });
      });
    });
    return portOf(http);
  },
});

function answerTo(text: string): string {
  const { id, params } = JSON.parse(text);
  return JSON.stringify({ jsonrpc: "2.0", id, result: params });
}
