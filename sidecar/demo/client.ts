import { randomUUID } from "node:crypto";
import { createConnection, type Socket } from "node:net";
import { z } from "zod";
import { JsonRpcResponse, TCP_PROTOCOL_VERSION, ToolResult } from "../../shared/protocol/mcp.ts";
import { LineSplitter } from "../../shared/wire/lines.ts";
import { type DemoConfig, StartError } from "./config.ts";
import { parseJson } from "./json.ts";
import { DEMO_LIMITS } from "./limits.ts";

/** The daemon said no; the message is its own. */
export class CallRefused extends Error {}
/** The daemon went away or does not answer: what it was asked may or may not have happened. */
export class ConnectionLost extends Error {}

const ServerLine = z.union([
  JsonRpcResponse,
  z.object({ method: z.literal("notifications/swarm_changed") }),
  /** How a server says that it takes no more connections. */
  z.object({ error: z.string() }),
]);

type Waiting = { resolve(result: unknown): void; reject(error: Error): void };

/** The CLI's connection to the daemon. Nothing is tried twice: whoever asks decides what a failure means. */
export class DaemonClient {
  readonly #socket: Socket;
  readonly #splitter = new LineSplitter(DEMO_LIMITS.backlogBytes);
  readonly #waiting = new Map<unknown, Waiting>();
  #wake = () => {};
  #lost: ConnectionLost | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => this.#lose("the connection to the swarm's daemon was lost"));
  }

  /** @throws StartError when the daemon cannot be reached or will not talk to us */
  static async connect(config: DemoConfig): Promise<DaemonClient> {
    const client = new DaemonClient(await openSocket(config));
    try {
      if (config.token !== null) await client.#request("authenticate", { token: config.token });
      await client.#request("initialize", {
        protocolVersion: TCP_PROTOCOL_VERSION,
        clientInfo: { name: "hive-mind", version: "0.1.0" },
        capabilities: {},
      });
      client.#send({ method: "notifications/initialized" });
      return client;
    } catch (error) {
      client.close();
      throw new StartError(`the swarm's daemon refused: ${messageOf(error)}`, { cause: error });
    }
  }

  /**
   * What a tool answers.
   * @throws CallRefused, ConnectionLost
   */
  async call<T>(tool: string, args: Record<string, unknown>, shape: z.ZodType<T>): Promise<T> {
    const answer = await this.#request("tools/call", { name: tool, arguments: args });
    const result = ToolResult.safeParse(answer);
    if (result.data?.isError) throw new CallRefused(result.data.content[0]?.text);
    const data = shape.safeParse(result.data?.structuredContent);
    if (!data.success) throw new CallRefused("the daemon's answer is not one of a demo swarm");
    return data.data;
  }

  /** Resolves when the swarm changes, somebody calls `wake` or `mostMs` have passed. */
  async changed(mostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  wake(): void {
    this.#wake();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #request(method: string, params: Record<string, unknown>): Promise<unknown> {
    if (this.#lost) throw this.#lost;
    const id = randomUUID();
    const answer = Promise.withResolvers<unknown>();
    const timer = setTimeout(
      () => this.#lose("the swarm's daemon does not answer"),
      DEMO_LIMITS.callTimeoutMs,
    );
    this.#waiting.set(id, answer);
    this.#send({ id, method, params });
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  #send(message: Record<string, unknown>): void {
    this.#socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#line(line);
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  /** Lines that are none of ours are left out: servers log where they should not. */
  #line(line: string): void {
    const parsed = ServerLine.safeParse(parseJson(line));
    if (!parsed.success) return;
    const message = parsed.data;
    if ("method" in message) this.#wake();
    else if ("id" in message) this.#answer(message);
    else this.#lose(message.error);
  }

  #answer({ id, result, error }: JsonRpcResponse): void {
    const waiting = this.#waiting.get(id);
    if (error) waiting?.reject(new CallRefused(error.message));
    else waiting?.resolve(result);
  }

  #lose(reason: string): void {
    this.#lost ??= new ConnectionLost(reason);
    this.#socket.destroy();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#wake();
  }
}

function openSocket({ host, mcpPort }: DemoConfig): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // A daemon that listens everywhere is reached here.
    const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
    const socket = createConnection({ host: address, port: mcpPort, noDelay: true });
    const fail = (error: Error) => {
      socket.destroy();
      const where = `${address} port ${mcpPort} (DEMO_HOST, DEMO_MCP_PORT)`;
      reject(new StartError(`the swarm's daemon cannot be reached at ${where}`, { cause: error }));
    };
    const timer = setTimeout(() => fail(new Error("no connection in time")), DEMO_LIMITS.callTimeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
    socket.once("close", () => clearTimeout(timer));
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
