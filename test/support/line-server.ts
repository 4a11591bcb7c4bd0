/** A small MCP server over TCP that a test scripts: what it answers, and how it misbehaves. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import { LineSplitter } from "../../shared/wire/lines.ts";

export type Client = {
  /** Sends a JSON line. */
  send(message: object): void;
  /** Sends bytes as they are. */
  write(bytes: string | Uint8Array): void;
  /** Breaks the connection off. */
  drop(): void;
};

export type LineServer = {
  port: number;
  /** Connections accepted so far. */
  accepted(): number;
  /** Every line received so far. */
  received: JsonRpcRequest[];
  /** Connections open now. */
  clients: Set<Client>;
  close(): Promise<void>;
};

/** `answer` is asked about every line; the server ends with the test. `port` 0: any that is free. */
export async function startLineServer(
  answer: (request: JsonRpcRequest, client: Client) => void,
  options: { port?: number; greet?: (client: Client) => void } = {},
): Promise<LineServer> {
  const sockets = new Set<Socket>();
  const clients = new Set<Client>();
  const received: JsonRpcRequest[] = [];
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    const client: Client = {
      send: (message) => void socket.write(`${JSON.stringify(message)}\n`),
      write: (bytes) => void socket.write(bytes),
      drop: () => void socket.destroy(),
    };
    sockets.add(socket);
    clients.add(client);
    const splitter = new LineSplitter(1024 * 1024);
    socket.on("data", (chunk) => {
      for (const line of splitter.push(chunk)) {
        const request = JsonRpcRequest.parse(JSON.parse(line));
        received.push(request);
        answer(request, client);
      }
    });
    // A client that breaks off is part of what is tested.
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      clients.delete(client);
    });
    options.greet?.(client);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  return { port: portOf(server), accepted: () => accepted, received, clients, close };
}

/** Answers the handshake and `ping`, and calls the tools given here; a tool may answer later or never. */
export function mcpServer(
  tools: Record<string, (args: unknown, reply: (data: unknown) => void, client: Client) => void>,
): (request: JsonRpcRequest, client: Client) => void {
  return (request, client) => {
    const { id, method, params } = request;
    if (id === undefined) return;
    if (method !== "tools/call") return client.send({ jsonrpc: "2.0", id, result: {} });
    const tool = tools[String(params?.name)];
    if (!tool) {
      return client.send({ jsonrpc: "2.0", id, error: { code: -32601, message: "Tool not found" } });
    }
    const reply = (data: unknown) =>
      client.send({
        jsonrpc: "2.0",
        id,
        result: { content: [{ type: "text", text: JSON.stringify(data) }] },
      });
    tool(params?.arguments, reply, client);
  };
}

/** The port on which a TCP or HTTP server listens. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
