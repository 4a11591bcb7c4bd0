/** A second way to a TCP server, which a test can freeze, thaw and close, and which counts what is asked over it. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { portOf } from "./line-server.ts";

export type Forwarder = {
  port: number;
  /** Connections taken so far. */
  accepted(): number;
  /** Calls of this tool that came this way so far. */
  asked(tool: string): number;
  /** Takes what comes, and passes nothing on in either direction, as a server that was stopped. */
  freeze(): void;
  /** Freezes when the next call of this tool has been passed on, before it can be answered. */
  freezeAt(tool: string): void;
  thaw(): void;
  /** The connections that there are hear nothing any more, and are never told; new ones work. */
  abandon(): void;
  close(): Promise<void>;
};

export async function startForwarder(toPort: number): Promise<Forwarder> {
  const sockets = new Set<Socket>();
  const asked = new Map<string, number>();
  let accepted = 0;
  let frozen = false;
  let freezeAt: string | null = null;
  const count = (chunk: Buffer) => {
    for (const [, tool] of chunk.toString().matchAll(/"tools\/call","params":{"name":"(\w+)"/g)) {
      if (tool) asked.set(tool, (asked.get(tool) ?? 0) + 1);
      if (tool === freezeAt) freeze();
    }
  };
  const freeze = () => {
    frozen = true;
    freezeAt = null;
    for (const socket of sockets) socket.pause();
  };
  const server = createServer((near) => {
    accepted++;
    const far = connect(toPort, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (frozen) from.pause();
      from.on("data", (chunk) => void to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    near.on("data", count);
    // Adding a listener makes a socket flow.
    if (frozen) near.pause();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  return {
    port,
    accepted: () => accepted,
    asked: (tool) => asked.get(tool) ?? 0,
    freeze,
    freezeAt: (tool) => {
      freezeAt = tool;
    },
    thaw: () => {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    abandon: () => {
      for (const socket of sockets) socket.pause();
    },
    close,
  };
}
