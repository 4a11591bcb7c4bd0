import { ERRORS, type HivegateError } from "../../../shared/errors.ts";
import { errorFrame } from "../../session/error-frame.ts";

/** Opens the socket only to say why it closes: an error frame, then the error's close code. */
export function refuseSession(_request: Request, error: HivegateError, protocol: string | null): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.send(JSON.stringify(errorFrame(error, Date.now())));
  server.close(ERRORS[error.code].close, error.message.slice(0, 120));
  const headers = protocol ? { "sec-websocket-protocol": protocol } : undefined;
  return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
}
