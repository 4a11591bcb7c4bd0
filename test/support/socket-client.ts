/** A bare client of `/stream` and `/relay` on the real `ws` library: what a stranger would write. */
import { WebSocket } from "ws";
import { z } from "zod";
import { GatewayFrame } from "../../shared/protocol/gateway.ts";

const JsonRpc = z.object({ jsonrpc: z.literal("2.0") });

type FrameOf<Type> = GatewayFrame & { type: Type };

export type SocketClient = {
  send(frame: unknown): void;
  sendRaw(data: string | Uint8Array): void;
  /** The next frame of this type that fits; those before it are passed over. */
  next<Type extends GatewayFrame["type"]>(
    type: Type,
    fits?: (frame: FrameOf<Type>) => boolean,
    withinMs?: number,
  ): Promise<FrameOf<Type>>;
  /** Resolves with the close code. */
  closed: Promise<number>;
  close(): void;
};

export async function connectSocket(
  gatewayUrl: string,
  path: string,
  token: string | null,
  options: { as: "header" | "subprotocol" } = { as: "header" },
): Promise<SocketClient> {
  const url = `${gatewayUrl.replace(/^http/, "ws")}${path}`;
  const socket =
    token === null
      ? new WebSocket(url)
      : options.as === "header"
        ? new WebSocket(url, { headers: { authorization: `Bearer ${token}` } })
        : new WebSocket(url, ["hivegate.v1", token]);
  const frames: GatewayFrame[] = [];
  let arrived = () => {};
  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    // On `/relay` the orchestrator speaks as well.
    if (JsonRpc.safeParse(message).success) return;
    frames.push(GatewayFrame.parse(message));
    arrived();
  });
  const closed = new Promise<number>((resolve) => socket.once("close", (code) => resolve(code)));
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("open", resolve).once("close", resolve));

  return {
    closed,
    send: (frame) => socket.send(JSON.stringify(frame)),
    sendRaw: (data) => socket.send(data),
    close: () => socket.close(1000),
    async next(type, fits = () => true, withinMs = 10_000) {
      const deadlineMs = Date.now() + withinMs;
      while (true) {
        for (let frame = frames.shift(); frame; frame = frames.shift()) {
          if (isType(frame, type) && fits(frame)) return frame;
        }
        const leftMs = deadlineMs - Date.now();
        if (leftMs <= 0) throw new Error(`no ${type} came within ${withinMs} ms`);
        await new Promise<void>((resolve) => {
          arrived = resolve;
          setTimeout(resolve, leftMs).unref();
        });
      }
    },
  };
}

function isType<Type extends GatewayFrame["type"]>(frame: GatewayFrame, type: Type): frame is FrameOf<Type> {
  return frame.type === type;
}
