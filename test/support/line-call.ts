import { connect } from "node:net";
import { LineSplitter } from "../../shared/wire/lines.ts";

const WITHIN_MS = 10_000;

/** Asks an MCP server on a TCP port of this host one thing, over a connection of its own, and resolves when it answered. */
export function lineCall(port: number, method: string, params: unknown): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const splitter = new LineSplitter(1024 * 1024);
  socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: "only", method, params })}\n`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(new Error(`no answer to ${method}`)), WITHIN_MS);
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.once("error", end);
    socket.on("data", (chunk) => {
      if (splitter.push(chunk).some((line) => line.includes('"id":"only"'))) end();
    });
  });
}
