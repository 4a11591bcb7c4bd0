/** What a text on the relay is: JSON-RPC, which is the orchestrator's, or something else. */
import { CANCELLATIONS, cancelledBy, idKey, type RpcPart, scanRpc } from "../../shared/relay/json-rpc.ts";

/** One JSON-RPC message. */
export type Rpc = {
  /** JSON, so that `1` and `"1"` stay apart, always written the same way; null: it has none and wants no answer. */
  id: string | null;
  /** What it is called for roles: its method, `tools/call:NAME` for a tool's call, or `response`. */
  name: string;
  /** The id of the request that it takes back, if it does. */
  cancels?: string;
};

export const RESPONSE = "response";

/** The usual beginning of an answer: then nothing behind it has to be read. */
const ANSWER = /^\{"jsonrpc":"2\.0","id":(0|-?[1-9]\d{0,14}|"[^"\\]*"),"(?:result|error)":/;

/**
 * The JSON-RPC messages of a text, several if it is a batch. Null: it is something else, or would not be read alike by
 * everybody: what is judged here has to be what the orchestrator understands.
 */
export function readRpc(text: string): readonly Rpc[] | null {
  if (!text.includes('"jsonrpc"')) return null;
  // Only the parser says whether it is JSON throughout, only the scan whether a member is there twice.
  const json = parsed(text);
  return json === undefined ? null : rpcsIn(text, json);
}

/** One that came from the orchestrator, or several; what is no JSON-RPC is called by its `type`. */
export function readFromOrchestrator(text: string): readonly Rpc[] {
  const id = ANSWER.exec(text)?.[1];
  if (id !== undefined) return [{ id, name: RESPONSE }];
  const json = parsed(text);
  return rpcsIn(text, json) ?? all(json).map((each) => ({ id: null, name: typeOf(each) }));
}

/** Those messages of a batch for which `isWanted` says yes, as a batch. */
export function pick(batch: string, isWanted: (index: number) => boolean): string {
  const json = parsed(batch);
  return JSON.stringify(Array.isArray(json) ? json.filter((_, index) => isWanted(index)) : json);
}

/**
 * What goes before what waits, because the order tells nothing there. A call that stops something does not: what it
 * stops may be what waits before it.
 */
export const isUrgent = (name: string): boolean => URGENT.has(name);
const URGENT = new Set([...CANCELLATIONS.keys(), "ping", RESPONSE]);

/** An id is raw JSON; the same for all ways to write it. */
export function sameId(raw: string): string {
  const id = idKey(raw);
  // A copy: a part of a large text would keep all of that in memory. Short ones are copies as it is.
  return id.length < SLICED_CHARS ? id : String(parsed(JSON.stringify(id)));
}
const SLICED_CHARS = 13;

function rpcsIn(text: string, json: unknown): readonly Rpc[] | null {
  const messages = all(json);
  return scanRpc(text)?.parts.map((part, index) => asRpc(text, part, messages[index])) ?? null;
}

function asRpc(text: string, part: RpcPart, json: unknown): Rpc {
  const { id, method } = part;
  const rpc = {
    id: id === null ? null : sameId(id),
    name: method === null ? RESPONSE : nameOf(method, json),
  };
  const at = cancelledBy(text, part);
  return at ? { ...rpc, cancels: sameId(text.slice(at.start, at.end)) } : rpc;
}

function nameOf(method: string, json: unknown): string {
  const tool = method === "tools/call" ? member(member(json, "params"), "name") : null;
  return typeof tool === "string" ? `${method}:${tool}` : method;
}

const all = (json: unknown): readonly unknown[] => (Array.isArray(json) ? json : [json]);

const member = (json: unknown, name: string): unknown =>
  typeof json === "object" && json !== null ? Reflect.get(json, name) : undefined;

function typeOf(json: unknown): string {
  const type = member(json, "type");
  return typeof type === "string" ? type : "";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
