/** What the relay is compared with: a WebSocket proxy that does nothing else, with a connection for each client. */
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { portOf } from "../../support/line-server.ts";
import { answerParent } from "./child.ts";

const Start = z.object({ url: z.string() });

answerParent({
  async start(params) {
    const { url } = Start.parse(params);
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    const server = new WebSocketServer({ server: http, perMessageDeflate: false });
    server.on("connection", (client) => {
      const orchestrator = new WebSocket(url, { perMessageDeflate: false });
      pipe(client, orchestrator);
      pipe(orchestrator, client);
      // A client is not read before there is somebody to tell.
      client.pause();
      orchestrator.once("open", () => client.resume());
    });
    return portOf(http);
  },
});

function pipe(from: WebSocket, to: WebSocket): void {
  from.on("message", (data, isBinary) => to.send(data, { binary: isBinary }));
  from.on("close", () => to.close());
  from.on("error", () => to.terminate());
}
