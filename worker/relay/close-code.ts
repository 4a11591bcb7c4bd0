/** How a relayed connection ends: the other side's code, where the runtimes let it be sent. */
import { ERRORS } from "../../shared/errors.ts";

/** 1000 and 3000 to 4999 may be sent by applications; the others are said by connections themselves. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const NO_STATUS = 1005;

/** The code with which a client is told of a close that had this one. */
export function clientCloseCode(code: number): number {
  if (code === NORMAL || (code >= 3000 && code <= 4999)) return code;
  if (code === NO_STATUS) return NORMAL;
  return code === GOING_AWAY ? ERRORS.shutting_down.close : ERRORS.sidecar_unreachable.close;
}

/** A close's reason fits 123 bytes. */
export const closeReason = (reason: string): string => (reason.length > 40 ? reason.slice(0, 40) : reason);
