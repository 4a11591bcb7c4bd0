/**
 * Stands in for the wrapper that makes a TCP server of a stdio MCP server: `node stdio-to-tcp.ts PORT COMMAND…`.
 * One process serves all clients, line by line. Ids are rewritten, so that answers find their asker; what has no
 * id of ours (notifications, logs) goes to all. Runs inside the container, so it needs nothing but Node.
 */
import { spawn } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

const [port, command = "", ...args] = process.argv.slice(2);
const server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
server.once("exit", (code) => process.exit(code ?? 1));

const clients = new Set<Socket>();
const asked = new Map<number, { client: Socket; id: unknown }>();
let lastId = 0;

// Answers are small, and one that waits for another's acknowledgement waits 40 ms.
createServer({ noDelay: true }, (client) => {
  clients.add(client);
  client.on("error", () => {});
  client.once("close", () => {
    clients.delete(client);
    for (const [id, asker] of asked) if (asker.client === client) asked.delete(id);
  });
  createInterface(client).on("line", (line) => {
    const message = parse(line);
    if (message === null) return;
    if ("id" in message && "method" in message) {
      asked.set(++lastId, { client, id: message.id });
      message.id = lastId;
    }
    server.stdin.write(`${JSON.stringify(message)}\n`);
  });
}).listen(Number(port), "0.0.0.0", () => console.log("listening"));

createInterface(server.stdout).on("line", (line) => {
  const message = parse(line);
  const asker = typeof message?.id === "number" ? asked.get(message.id) : undefined;
  if (message === null || asker === undefined || "method" in message) {
    for (const client of clients) client.write(`${line}\n`);
    return;
  }
  asked.delete(Number(message.id));
  asker.client.write(`${JSON.stringify({ ...message, id: asker.id })}\n`);
});

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
