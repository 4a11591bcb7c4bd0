import { HivegateError } from "../../../shared/errors.ts";

/** A peer that does not even answer pings for this long is gone. */
const IDLE_TIMEOUT_S = 60;

/**
 * Accepts a WebSocket, and calls `opened` when frames may be sent. Deno would look for `protocol` among the
 * offered ones, and does not find it in a list that is written without spaces: it is said in a header.
 * @throws HivegateError `upgrade_required`
 */
export function upgrade(
  request: Request,
  protocol: string | null,
  opened: (socket: WebSocket) => void,
): Response {
  try {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
    if (protocol) response.headers.set("sec-websocket-protocol", protocol);
    socket.onopen = () => opened(socket);
    return response;
  } catch (cause) {
    throw new HivegateError("upgrade_required", undefined, { cause });
  }
}
