import { ERRORS, type HivegateError } from "../../../shared/errors.ts";
import { errorFrame } from "../../session/error-frame.ts";
import { upgrade } from "./upgrade.ts";

/** Opens the socket only to say why it closes: an error frame, then the error's close code. */
export function refuseSession(request: Request, error: HivegateError, protocol: string | null): Response {
  return upgrade(request, protocol, (socket) => sendAway(socket, error));
}

export function sendAway(socket: WebSocket, error: HivegateError): void {
  socket.send(JSON.stringify(errorFrame(error, Date.now())));
  socket.close(ERRORS[error.code].close, error.message.slice(0, 120));
}
