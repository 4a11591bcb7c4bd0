/**
 * What the gateway and the sidecar say to each other about relayed sessions, over one WebSocket (`link.ts`).
 * A session is a *channel*, numbered by the gateway; a number is not used again on the same link.
 *
 * A record on the wire is a head of nine bytes (kind, channel, length of the body; big-endian), then the body:
 * a message's own bytes, or a little JSON. Several records make a batch (`batch.ts`).
 */
import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { Timestamp } from "../protocol/ids.ts";

/** `GET {LINK_PATH}?link=ID` of the sidecar, signed as any request, opens a link's WebSocket. */
export const LINK_PATH = "/v1/relay";
/** A link's id is the gateway's choice. A newer socket of the same id takes the place of the one before. */
export const LinkId = z.string().regex(/^[\w-]{1,64}$/);

export const RelayMode = z.enum(["shared", "dedicated"]);
export type RelayMode = z.infer<typeof RelayMode>;

/** Who is at the client's end, as the gateway verified it. */
export const RelayClient = z.object({ id: z.string(), subject: z.string(), role: z.string() });
export type RelayClient = z.infer<typeof RelayClient>;

/** `delay_ms`: until the next try; `attempt`: which one it will be, from 1. */
export const OrchestratorNotice = z.object({
  type: z.enum(["orchestrator_connected", "orchestrator_disconnected"]),
  state: z.enum(["connecting", "connected", "interrupted", "reconnecting", "circuit_open", "draining"]),
  attempt: z.number().int().positive().optional(),
  delay_ms: z.number().nonnegative().optional(),
  timestamp: Timestamp,
});
export type OrchestratorNotice = z.infer<typeof OrchestratorNotice>;
export type OrchestratorState = OrchestratorNotice["state"];

const Opening = z.object({ mode: RelayMode, client: RelayClient });
const Closing = z.object({ code: z.number().int(), reason: z.string() });
const Crediting = z.object({ bytes: z.number().int().positive() });
const Refusing = z.object({ id: z.string().nullable(), code: z.enum(ERROR_CODES), message: z.string() });

/** `urgent` goes before what waits, in order among its like. A received binary message is a view: do not keep it. */
export type RelayMessage = { data: string | Uint8Array; urgent: boolean };

/**
 * - `open`: the gateway only. Its answers are notices, or `close`.
 * - `message`: within the credit (`channel.ts`).
 * - `credit`: so much of what the receiver of this sent was passed on.
 * - `close`: the channel is over for both sides; `code` is a WebSocket close code.
 * - `notice`: the sidecar only: the state of the channel's orchestrator changed.
 * - `refused`: a message was not passed on, or its answer will not come. `id` is the JSON-RPC id as it stood in the
 *   message (raw JSON: `1`, `"1"`, `null`), or null when it had none.
 * - `goaway`: the sidecar only: it stops soon. Open nothing more; what is in flight is still answered.
 */
export type RelayRecord =
  | ({ type: "open"; channel: number } & z.infer<typeof Opening>)
  | ({ type: "message"; channel: number } & RelayMessage)
  | ({ type: "credit"; channel: number } & z.infer<typeof Crediting>)
  | ({ type: "close"; channel: number } & z.infer<typeof Closing>)
  | { type: "notice"; channel: number; notice: OrchestratorNotice }
  | ({ type: "refused"; channel: number } & z.infer<typeof Refusing>)
  | { type: "goaway" };

/** The other side sent what is no record of ours. */
export class RelayFormatError extends Error {}

export const HEAD_BYTES = 9;

const KIND = {
  open: 1,
  text: 2,
  urgentText: 3,
  binary: 4,
  urgentBinary: 5,
  credit: 6,
  close: 7,
  notice: 8,
  refused: 9,
  goaway: 10,
} as const;

/** What a record is on the wire: its kind, its channel and its body. */
export type RawRecord = { kind: number; channel: number; body: string | Uint8Array };

export function toRaw(record: RelayRecord): RawRecord {
  if (record.type === "message") {
    const { channel, data, urgent } = record;
    const isText = typeof data === "string";
    const kind = isText ? (urgent ? KIND.urgentText : KIND.text) : urgent ? KIND.urgentBinary : KIND.binary;
    return { kind, channel, body: data };
  }
  if (record.type === "goaway") return { kind: KIND.goaway, channel: 0, body: "" };
  const { type, channel, ...content } = record;
  return { kind: KIND[type], channel, body: JSON.stringify(type === "notice" ? record.notice : content) };
}

/** @throws RelayFormatError */
export function fromRaw(kind: number, channel: number, body: Uint8Array): RelayRecord {
  switch (kind) {
    case KIND.text:
      return { type: "message", channel, data: textOf(body), urgent: false };
    case KIND.urgentText:
      return { type: "message", channel, data: textOf(body), urgent: true };
    case KIND.binary:
      return { type: "message", channel, data: body, urgent: false };
    case KIND.urgentBinary:
      return { type: "message", channel, data: body, urgent: true };
    case KIND.open:
      return { type: "open", channel, ...parsed(Opening, body) };
    case KIND.credit:
      return { type: "credit", channel, ...parsed(Crediting, body) };
    case KIND.close:
      return { type: "close", channel, ...parsed(Closing, body) };
    case KIND.notice:
      return { type: "notice", channel, notice: parsed(OrchestratorNotice, body) };
    case KIND.refused:
      return { type: "refused", channel, ...parsed(Refusing, body) };
    case KIND.goaway:
      return { type: "goaway" };
    default:
      throw new RelayFormatError(`no such kind of record: ${kind}`);
  }
}

/** A text may begin with a byte order mark, which is part of it. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function textOf(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new RelayFormatError("a text is not UTF-8", { cause });
  }
}

export function parsed<T extends z.ZodType>(schema: T, body: Uint8Array): z.infer<T> {
  try {
    return schema.parse(JSON.parse(textOf(body)));
  } catch (cause) {
    throw new RelayFormatError("a record's body is not what its kind says", { cause });
  }
}
