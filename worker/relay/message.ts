/** What a text on the relay is: JSON-RPC, which is the orchestrator's, or something else. */
import { scanRpc } from "../../shared/relay/json-rpc.ts";

/** One JSON-RPC message. */
export type Rpc = {
  /** JSON, so that `1` and `"1"` stay apart; null: it has none and wants no answer. */
  id: string | null;
  /** What it is called for roles: its method, `tools/call:NAME` for a tool's call, or `response`. */
  name: string;
};

export const RESPONSE = "response";

/** The usual beginning of an answer: then nothing behind it has to be read. */
const ANSWER = /^\{"jsonrpc":"2\.0","id":(0|-?[1-9]\d{0,14}|"[^"\\]*"),"(?:result|error)":/;

/** The JSON-RPC messages of a text, several if it is a batch. Null: it is something else. */
export function readRpc(text: string): readonly Rpc[] | null {
  if (!text.includes('"jsonrpc"')) return null;
  const json = parsed(text);
  if (!Array.isArray(json)) {
    const rpc = asRpc(json, text, 0);
    return rpc && [rpc];
  }
  const all = json.map((each, index) => asRpc(each, text, index)).filter((rpc) => rpc !== null);
  return all.length === json.length && all.length > 0 ? all : null;
}

/** One that came from the orchestrator, or several; what is no JSON-RPC is called by its `type`. */
export function readFromOrchestrator(text: string): readonly Rpc[] {
  const id = ANSWER.exec(text)?.[1];
  if (id !== undefined) return [{ id, name: RESPONSE }];
  const json = parsed(text);
  const all = Array.isArray(json) ? json : [json];
  return all.map((each, index) => asRpc(each, text, index) ?? { id: null, name: typeOf(each) });
}

/** Those messages of a batch for which `isWanted` says yes, as a batch. */
export function pick(batch: string, isWanted: (index: number) => boolean): string {
  const json = parsed(batch);
  return JSON.stringify(Array.isArray(json) ? json.filter((_, index) => isWanted(index)) : json);
}

/** Cancellations and stops go before what waits: they are about what was sent before. */
export const isUrgent = (name: string): boolean => URGENT.test(name);
const URGENT = /(?:^|[/:_.-])(?:cancel(?:led|Request)?|stop|abort|terminate|shutdown|kill)$/i;

/**
 * The message at this place of a batch; a single one is at the first. Read by hand: every message passes here, and where
 * code cannot be made at run time a schema takes longer than parsing the text.
 */
function asRpc(json: unknown, text: string, index: number): Rpc | null {
  const id = member(json, "id");
  const method = member(json, "method");
  if (member(json, "jsonrpc") !== "2.0" || !isId(id)) return null;
  if (method !== undefined && typeof method !== "string") return null;
  const name = method === undefined ? RESPONSE : nameOf(method, json);
  return { id: id === undefined ? null : idText(id, text, index), name };
}

const isId = (id: unknown): id is string | number | null | undefined =>
  id === undefined || id === null || typeof id === "string" || typeof id === "number";

/** A number that JavaScript cannot hold is given back as it was written. */
function idText(id: string | number | null, text: string, index: number): string {
  const isExact = typeof id !== "number" || Number.isSafeInteger(id);
  return (isExact ? null : scanRpc(text)?.parts[index]?.id) ?? JSON.stringify(id);
}

function nameOf(method: string, json: unknown): string {
  if (method !== "tools/call") return method;
  const tool = member(member(json, "params"), "name");
  return typeof tool === "string" ? `${method}:${tool}` : method;
}

function typeOf(json: unknown): string {
  const type = member(json, "type");
  return typeof type === "string" ? type : "";
}

const member = (json: unknown, name: string): unknown =>
  typeof json === "object" && json !== null ? Reflect.get(json, name) : undefined;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
