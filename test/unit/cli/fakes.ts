/** A command line without a process, and a gateway that answers what a test tells it to. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Task } from "../../../shared/swarm/task.ts";
import type { Command, ExitCode, Io } from "../../../sidecar/cli/command.ts";
import { runProgram } from "../../../sidecar/cli/program.ts";

export const NOW_MS = 1_700_000_000_000;
export const TASK_ID = "0192d1a0-0000-4000-8000-000000000001";

export const task = (state: Task["state"], changes: Partial<Task> = {}): Task => ({
  taskId: TASK_ID,
  task: "count primes",
  priority: "Medium",
  state,
  method: "docker-exec",
  swarmId: "s-1",
  spawningAt: NOW_MS,
  pausedAt: null,
  timeoutMs: 86_400_000,
  createdAt: NOW_MS,
  startedAt: NOW_MS,
  endedAt: NOW_MS + 2_500,
  exitCode: null,
  error: null,
  ...changes,
});

export type Ran = { code: ExitCode; out: string; err: string };

export async function run(
  commands: Record<string, Command>,
  argv: string[],
  world: {
    env?: Record<string, string>;
    files?: Record<string, string>;
    columns?: number;
    /** Called with the way to press Ctrl-C. */
    interrupt?: (press: () => void) => void;
    /** Called with each piece of stdout. */
    wrote?: (text: string) => void;
  } = {},
): Promise<Ran> {
  const ran = { out: "", err: "" };
  const io: Io = {
    out: async (text) => {
      ran.out += text;
      world.wrote?.(text);
    },
    err: async (text) => {
      ran.err += text;
    },
    env: world.env ?? {},
    readFile: (path) => world.files?.[path] ?? null,
    now: () => NOW_MS,
    columns: world.columns ?? null,
    outliveReaders() {},
    onInterrupt(listener) {
      world.interrupt?.(listener);
      return () => {};
    },
  };
  const code = await runProgram({ version: "1.2.3", commands }, argv, io);
  return { code, ...ran };
}

export type Request = { method: string; path: string; authorization: string; body: unknown };

export class FakeGateway implements AsyncDisposable {
  readonly requests: Request[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #routes: Record<string, (response: ServerResponse) => void>;

  /** Routes are `METHOD path`. */
  constructor(routes: Record<string, (response: ServerResponse) => void>) {
    this.#routes = routes;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  /** What a command needs to find it. */
  get env(): Record<string, string> {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the gateway has not started");
    return { HIVEGATE_URL: `http://127.0.0.1:${address.port}`, HIVEGATE_TOKEN: "a.b.c" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method = "", url: path = "", headers } = request;
    const body: unknown = text ? JSON.parse(text) : null;
    this.requests.push({ method, path, authorization: headers.authorization ?? "", body });
    const route = this.#routes[`${method} ${path}`];
    if (route) route(response);
    else json({ code: "not_found", message: "There is nothing at this address." }, 404)(response);
  }
}

export const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };

type EventBody =
  | { kind: "output"; stream: "stdout" | "stderr"; text: string }
  | { kind: "gap"; reason: string }
  | { kind: "state"; task: Task };

/** A task's events; with `stayOpen` the stream does not end after them. */
export const events =
  (bodies: EventBody[], options: { stayOpen: boolean } = { stayOpen: false }) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    bodies.forEach((body, index) => {
      const event = { taskId: TASK_ID, seq: index + 1, timestamp: NOW_MS, ...body };
      response.write(`id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    });
    if (!options.stayOpen) response.end();
  };
