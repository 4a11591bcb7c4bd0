import { HivegateError } from "../../../shared/errors.ts";
import type { Dial } from "../../relay/line.ts";
import type { SidecarClient } from "../../sidecar-client.ts";

/** Opens a relay's link to the sidecar; `link` is its name there. */
export const dialRelay =
  (sidecar: SidecarClient, link: string): Dial =>
  async (listener, signal) => {
    const { url, headers } = await sidecar.upgrade(`/v1/relay?link=${encodeURIComponent(link)}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) listener.received(new Uint8Array(data));
    });
    socket.addEventListener("close", ({ code }) => {
      reject(new HivegateError("sidecar_unreachable", undefined, { cause: `closed with ${code}` }));
      listener.closed();
    });
    const giveUp = () => {
      reject(signal.reason);
      socket.close();
    };
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    await promise.finally(() => signal.removeEventListener("abort", giveUp));
    return {
      send: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(closable(code), reason),
    };
  };

/** Applications may not say the codes of the protocol itself. */
const closable = (code: number): number => (code === 1000 || code >= 3000 ? code : 4000);
