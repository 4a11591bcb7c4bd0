import { HivegateError } from "../../../shared/errors.ts";
import type { Dial } from "../../relay/line.ts";
import type { SidecarClient } from "../../sidecar-client.ts";

/** Opens a relay's link to the sidecar; `link` is its name there. */
export const dialRelay =
  (sidecar: SidecarClient, link: string): Dial =>
  async (listener, signal) => {
    const { url, headers } = await sidecar.upgrade(`/v1/relay?link=${encodeURIComponent(link)}`);
    const response = await fetch(url, {
      headers: { ...headers, upgrade: "websocket" },
      signal,
      redirect: "manual",
    });
    const socket = response.webSocket;
    if (!socket) {
      await response.body?.cancel();
      throw new HivegateError("sidecar_unreachable", undefined, { cause: `answered ${response.status}` });
    }
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) listener.received(new Uint8Array(data));
    });
    socket.addEventListener("close", () => listener.closed());
    socket.addEventListener("error", () => listener.closed());
    socket.accept();
    return {
      send: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(code, reason),
    };
  };
