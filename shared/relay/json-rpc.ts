/** What a JSON-RPC 2.0 message is about, and where its id stands in the text. */
import { findValue, NOT_FOUND, type Span, scanArray, scanObject, skipSpace, stringIn } from "./json-scan.ts";

/** One request, notification or answer. `id` is raw JSON, as it stands in the text at `idAt`. */
export type RpcPart = Span & { method: string | null; id: string | null; idAt: Span | null };

/** `isBatch`: they came in an array. */
export type RpcMessage = { parts: RpcPart[]; isBatch: boolean };

/** A longer id is not remembered: it is refused. */
const ID_CHARS = 1_000;
const ID = /^(?:"|-?\d|null$)/;

export type RpcRequest = RpcPart & { method: string; id: string; idAt: Span };
export type RpcAnswer = RpcPart & { id: string; idAt: Span };

export const isRequest = (part: RpcPart): part is RpcRequest => part.method !== null && part.id !== null;
export const isAnswer = (part: RpcPart): part is RpcAnswer => part.method === null && part.id !== null;

/** The same for all ways to write an id (raw JSON): who sends it back may write it another way than it came. */
export function idKey(id: string): string {
  if (!id.startsWith('"')) {
    const number = Number(id);
    return Number.isSafeInteger(number) ? String(number) : id;
  }
  const said = id.includes("\\") ? stringIn(id, 0, id.length) : null;
  return said === null ? id : JSON.stringify(said);
}

/**
 * Null: it is no JSON-RPC, or nothing that all readers would read alike: a member that is there twice, or one of its
 * `params` on which it depends who may say it, or whose it is. That it is JSON at all is not checked throughout.
 */
export function scanRpc(text: string): RpcMessage | null {
  const start = skipSpace(text, 0);
  const single = partAt(text, start);
  if (single) return isLast(text, single.end) ? { parts: [single], isBatch: false } : null;
  const parts: (RpcPart | null)[] = [];
  const end = scanArray(text, start, (at) => void parts.push(partAt(text, at)));
  const whole = parts.filter((part) => part !== null);
  if (end === NOT_FOUND || parts.length === 0 || whole.length < parts.length || !isLast(text, end))
    return null;
  return { parts: whole, isBatch: true };
}

/** The value in a part's `params`, by the names that lead to it. */
export const paramOf = (text: string, part: RpcPart, ...path: string[]): Span | null =>
  findValue(text, part.start, ["params", ...path]);

/** By the notification that takes a request back, the parameter that names it. */
export const CANCELLATIONS: ReadonlyMap<string, string> = new Map([
  ["notifications/cancelled", "requestId"],
  ["$/cancelRequest", "id"],
]);

/** Where the id stands that a cancellation names; null: it is none. */
export function cancelledBy(text: string, { start, method }: RpcPart): Span | null {
  const name = CANCELLATIONS.get(method ?? "");
  return name === undefined ? null : findValue(text, start, ["params", name]);
}

function partAt(text: string, start: number): RpcPart | null {
  const times = { jsonrpc: 0, id: 0, method: 0, params: 0, outcome: 0 };
  let isVersion2 = false;
  let method: string | null = null;
  let idAt: Span | null = null;
  let isTwofold = false;
  const end = scanObject(text, start, (name, from, to) => {
    if (name === "id") {
      times.id++;
      idAt = { start: from, end: to };
    } else if (name === "method") {
      times.method++;
      method = stringIn(text, from, to);
    } else if (name === "params") {
      times.params++;
      isTwofold = saysTwice(text, from);
    } else if (name === "jsonrpc") {
      times.jsonrpc++;
      isVersion2 = text.slice(from, to) === '"2.0"';
    } else if (name === "result" || name === "error") times.outcome++;
  });
  if (end === NOT_FOUND || !isVersion2 || isTwofold) return null;
  if (times.jsonrpc > 1 || times.id > 1 || times.method > 1 || times.params > 1) return null;
  const id = idOf(text, idAt);
  if (times.id === 1 && id === null) return null;
  const isSaid =
    times.method === 1 ? method !== null && times.outcome === 0 : times.id === 1 && times.outcome === 1;
  return isSaid ? { start, end, method, id, idAt } : null;
}

const DECISIVE = new Map([
  ["name", 1],
  ["requestId", 2],
  ["id", 4],
  ["progressToken", 8],
  ["_meta", 16],
]);

/** Whether this object, or the `_meta` in it, has anything decisive twice. */
function saysTwice(text: string, at: number): boolean {
  let seen = 0;
  let isTwice = false;
  scanObject(text, at, (name, start) => {
    const one = DECISIVE.get(name) ?? 0;
    isTwice ||= (seen & one) !== 0 || (name === "_meta" && saysTwice(text, start));
    seen |= one;
  });
  return isTwice;
}

function idOf(text: string, at: Span | null): string | null {
  if (!at || at.end - at.start > ID_CHARS) return null;
  const id = text.slice(at.start, at.end);
  return ID.test(id) ? id : null;
}

const isLast = (text: string, end: number): boolean => skipSpace(text, end) === text.length;
