import { LIMITS } from "../../shared/limits.ts";
import { utf8Bytes } from "../session/frames.ts";

/** Whether it is more than a relayed message may be. A UTF-16 unit is at most three bytes, so most texts need no count. */
export const isTooLarge = (data: string | ArrayBuffer): boolean =>
  typeof data === "string"
    ? data.length * 3 > LIMITS.relayMessageBytes && utf8Bytes(data) > LIMITS.relayMessageBytes
    : data.byteLength > LIMITS.relayMessageBytes;
