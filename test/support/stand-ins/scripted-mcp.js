/**
 * `scripted-mcp.js --stdio | --tcp | --ws [--exits-on-probe | --mute-before-initialize]`: an MCP server of 2025 whose tools
 * behave, or do not. Nothing but Node's own is imported, so that it also runs in a container; `--ws` wants `ws`.
 * `SCRIPTED_TOOLS` (a file) holds the names of its tools, one a line, where they are to be others after a restart.
 */
import { spawn } from "node:child_process";
import { closeSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const flags = new Set(process.argv.slice(2));
const text = (data) => ({ content: [{ type: "text", text: JSON.stringify(data) }] });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cancelled = [];

/** What each tool does with `session`, its request and the arguments; what it returns is the answer's data. */
const TOOLS = {
  echo: (_session, _request, args) => args,
  pid: () => process.pid,
  env: () => process.env,
  cwd: () => process.cwd(),
  cancelled: () => cancelled,
  never: () => new Promise(() => {}),
  die: () => process.exit(1),
  /** Answers, and is gone before anybody could have read it. */
  last_words: ({ write }, { id }) => {
    process.stdout.on("finish", () => process.exit(0));
    write(`${JSON.stringify({ jsonrpc: "2.0", id, result: text("x".repeat(500_000)) })}\n`);
    process.stdout.end();
    return new Promise(() => {});
  },
  drop: (session) => session.drop(),
  /** Lives on, and does not hear any more that it should not. */
  deafen: () => {
    setInterval(() => {}, 1_000);
    process.stdin.destroy();
    closeSync(0);
    return process.pid;
  },
  freeze: () => process.kill(process.pid, "SIGSTOP"),
  /** A process that would go on for a quarter of an hour. */
  child: () => spawn(process.execPath, ["-e", "setTimeout(() => {}, 900_000)"], { stdio: "inherit" }).pid,
  noise: ({ write }) => {
    write('🚀 not JSON\n[1,2]\n"text"\n{"jsonrpc":"2.0"}\n\n{"jsonrpc":"2.0","id":"nobody","result":{}}\n');
    return "noisy";
  },
  twice: ({ send }, { id }) => {
    send({ jsonrpc: "2.0", id, result: text("first") });
    return "second";
  },
  wrong_id: ({ send }, { id }) => {
    send({ jsonrpc: "2.0", id: `${id}-other`, result: text("lost") });
    return new Promise(() => {});
  },
  huge: ({ write }) => {
    write("a".repeat(50 * 1024 * 1024));
    return new Promise(() => {});
  },
  progress: async ({ send }, { params }, { steps, everyMs }) => {
    const { progressToken } = params._meta ?? {};
    for (let progress = 1; progress <= steps; progress++) {
      await pause(everyMs);
      send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress } });
    }
    return "done";
  },
  log: ({ send }, _request, { data }) => {
    send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data } });
    return "logged";
  },
  changed: ({ send }) => {
    send({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    return "changed";
  },
  /** Asks the client something, once `waitMs` have passed, and answers with what it said. */
  ask: async (session, _request, { waitMs = 0 } = {}) => {
    await pause(waitMs);
    return session.ask("elicitation/create", { message: "Who?", requestedSchema: { type: "object" } });
  },
};

const toolNames = () => {
  const file = process.env.SCRIPTED_TOOLS;
  return file ? readFileSync(file, "utf8").split("\n").filter(Boolean) : Object.keys(TOOLS);
};

/** One connection: `write` takes text, `drop` ends it. Gives what takes each message received. */
function session(write, drop) {
  const asked = new Map();
  let isInitialized = false;
  const self = {
    write,
    drop,
    send: (message) => write(`${JSON.stringify(message)}\n`),
    ask: (method, params) => {
      const id = asked.size + 1;
      self.send({ jsonrpc: "2.0", id, method, params });
      return new Promise((resolve) => asked.set(id, resolve));
    },
  };
  const answer = async (request) => {
    const { id, method, params } = request;
    if (method === "initialize") {
      isInitialized = true;
      const serverInfo = { name: "scripted", version: "1" };
      return { result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo } };
    }
    if (!isInitialized && flags.has("--exits-on-probe")) process.exit(3);
    if (!isInitialized && flags.has("--mute-before-initialize")) return new Promise(() => {});
    if (method === "ping") return { result: {} };
    if (method === "tools/list")
      return { result: { tools: toolNames().map((name) => ({ name, inputSchema: { type: "object" } })) } };
    const tool = TOOLS[params?.name];
    if (method !== "tools/call" || !tool) return { error: { code: -32601, message: `no ${method} ${id}` } };
    return { result: text((await tool(self, request, params.arguments)) ?? null) };
  };
  return async (line) => {
    const message = JSON.parse(line);
    if (message.method === "notifications/cancelled") cancelled.push(message.params.requestId);
    if (message.method === undefined) asked.get(message.id)?.(message.result ?? message.error);
    if (message.method === undefined || message.id === undefined) return;
    self.send({ jsonrpc: "2.0", id: message.id, ...(await answer(message)) });
  };
}

const listening = (port) => process.stdout.write(`${JSON.stringify({ event: "listening", port })}\n`);

if (flags.has("--tcp")) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    const take = session(
      (chunk) => socket.write(chunk),
      () => socket.destroy(),
    );
    createInterface(socket)
      .on("line", take)
      .on("error", () => {});
  }).listen(0, "127.0.0.1", () => listening(server.address().port));
} else if (flags.has("--ws")) {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "mcp" }, () =>
    listening(server.address().port),
  );
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    const take = session(
      (chunk) => socket.send(chunk),
      () => socket.terminate(),
    );
    socket.on("message", (data) => take(String(data)));
  });
} else {
  createInterface(process.stdin)
    .on(
      "line",
      session(
        (chunk) => process.stdout.write(chunk),
        () => process.exit(0),
      ),
    )
    .on("close", () => process.exit(0));
}
