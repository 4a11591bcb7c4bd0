/** What the gateway is compared with: a server that is built for every request, as the systems before it were. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { portOf } from "../../support/line-server.ts";
import { answerParent } from "./child.ts";

const Start = z.object({ command: z.array(z.string()) });
const INITIALIZE = {
  jsonrpc: "2.0",
  id: "open",
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "per-request", version: "1" },
  },
};

answerParent({
  async start(params) {
    const { command } = Start.parse(params);
    const server = createServer(async (request, response) => {
      const answer = await answerOf(command, await text(request));
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return portOf(server);
  },
});

async function answerOf([command = "", ...args]: string[], message: string): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write(`${JSON.stringify(INITIALIZE)}\n`);
  await lines.next();
  child.stdin.write(`${message}\n`);
  const { value } = await lines.next();
  child.stdin.end();
  return value ?? "";
}
