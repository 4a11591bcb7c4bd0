/**
 * The MCP server of the benchmark, as small as one can be, so that what is in front of it is measured: on stdin and
 * stdout, or on a TCP port that it says (`tcp`). Its tool answers with the text that it is given. It trusts its
 * client, and imports next to nothing, since one way of using it starts it for every call.
 */
import { createServer } from "node:net";
import type { Readable, Writable } from "node:stream";
import { LineSplitter } from "../../../shared/wire/lines.ts";

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const TOOL = {
  name: "echo",
  description: "Answers with the text that it is given.",
  inputSchema: { type: "object", properties: { text: { type: "string" } } },
};
/** The same, but its answers may be kept. */
const KEPT = { ...TOOL, name: "kept_echo", annotations: { readOnlyHint: true } };

type Request = {
  id?: string | number;
  method: string;
  params?: { protocolVersion?: string; arguments?: { text?: string } };
};

function answer({ method, params }: Request): object {
  switch (method) {
    case "initialize":
      return {
        result: {
          protocolVersion: params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "echo", version: "1" },
        },
      };
    case "tools/list":
      return { result: { tools: [TOOL, KEPT] } };
    case "tools/call":
      return {
        result: { content: [{ type: "text", text: params?.arguments?.text }] },
      };
    case "ping":
      return { result: {} };
    default:
      return { error: { code: -32601, message: `no ${method} here` } };
  }
}

function serve(input: Readable, output: Writable): void {
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  input.on("data", (chunk: Buffer) => {
    const answers = splitter
      .push(chunk)
      .map((line): Request => JSON.parse(line))
      .filter(({ id }) => id !== undefined)
      .map((request) => `${JSON.stringify({ jsonrpc: "2.0", id: request.id, ...answer(request) })}\n`);
    if (answers.length > 0) output.write(answers.join(""));
  });
  input.on("error", () => {});
}

if (process.argv[2] === "tcp") {
  const server = createServer({ noDelay: true }, (socket) => serve(socket, socket));
  server.listen(0, "127.0.0.1", () =>
    console.log(JSON.stringify({ event: "listen", port: portOf(server.address()) })),
  );
} else {
  serve(process.stdin, process.stdout);
}

function portOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): number | null {
  return address !== null && typeof address === "object" ? address.port : null;
}
