/** A server that says back what it is sent. */
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { portOf } from "../../support/line-server.ts";
import { answerParent } from "./child.ts";

answerParent({
  async start() {
    const server = createServer(async (request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(await buffer(request));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return portOf(server);
  },
});
