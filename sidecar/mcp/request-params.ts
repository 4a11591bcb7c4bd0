import {
  PROTOCOL_VERSION_META_KEY,
  TRACEPARENT_META_KEY,
  TRACESTATE_META_KEY,
} from "@modelcontextprotocol/client";
import { ENVELOPE } from "./handshake.ts";
import type { Params } from "./json-rpc-session.ts";
import { isRecord } from "./record.ts";
import type { Era, Exchange } from "./upstream.ts";

/** What the client calls the progress of its request; undefined: it wants to hear of none. */
export const progressTokenIn = (params: Params): unknown =>
  isRecord(params._meta) ? params._meta.progressToken : undefined;

/**
 * A request's parameters as the server gets them: progress is called by the request's own id, which no other client's
 * is; the envelope of 2026 is there; the trace is passed on. Everything else as it came, and mostly that is all.
 */
export function paramsFor(
  id: string,
  params: Params,
  { era, trace }: { era: Era; trace: Exchange["trace"] | undefined },
): Params {
  const given = isRecord(params._meta) ? params._meta : undefined;
  const wantsProgress = given?.progressToken !== undefined;
  const needsEnvelope = era === "2026" && given?.[PROTOCOL_VERSION_META_KEY] === undefined;
  if (!wantsProgress && !needsEnvelope && !trace) return params;
  const _meta = {
    ...(needsEnvelope && ENVELOPE),
    ...given,
    ...(wantsProgress && { progressToken: id }),
    ...(trace && { [TRACEPARENT_META_KEY]: trace.traceparent }),
    ...(trace?.tracestate && { [TRACESTATE_META_KEY]: trace.tracestate }),
  };
  return { ...params, _meta };
}
