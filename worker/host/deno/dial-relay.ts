import { WebSocket } from "ws";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Dial } from "../../relay/line.ts";
import type { SidecarClient } from "../../sidecar-client.ts";

/**
 * Opens a relay's link to the sidecar; `link` is its name there. Not by Deno's own WebSocket, which writes all messages
 * above 1 KiB in two parts and has no TCP_NODELAY: the second one waits 40 ms for the first to be acknowledged.
 */
export const dialRelay =
  (sidecar: SidecarClient, link: string): Dial =>
  async (listener, signal) => {
    const { url, headers } = await sidecar.upgrade(`/v1/relay?link=${encodeURIComponent(link)}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = new WebSocket(url.replace(/^http/, "ws"), {
      headers,
      perMessageDeflate: false,
      maxPayload: LIMITS.relayLinkBytes,
    });
    socket.on("open", () => resolve());
    socket.on("message", (data) => {
      if (data instanceof Uint8Array) listener.received(data);
    });
    socket.on("error", (cause) => reject(new HivegateError("sidecar_unreachable", undefined, { cause })));
    socket.on("close", () => listener.closed());
    const giveUp = () => {
      reject(signal.reason);
      socket.terminate();
    };
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    await promise.finally(() => signal.removeEventListener("abort", giveUp));
    return {
      send: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(code, reason),
    };
  };
