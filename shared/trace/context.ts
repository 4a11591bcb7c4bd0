/** W3C trace context, as much of it as is needed: who began this, and whether it is being watched. */

export type TraceContext = {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16, of whoever asks. */
  spanId: string;
  sampled: boolean;
};

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x20-\x7e]{0,44})?$/;
const SAMPLED = 1;

/**
 * Null when it is none, or a wrong one. Later versions may say more behind it: that is passed over, and nothing is longer
 * than 100 characters of ASCII, because it goes on in headers.
 */
export function parseTraceparent(header: string | null | undefined): TraceContext | null {
  const match = TRACEPARENT.exec(header ?? "");
  if (!match) return null;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export const traceparentOf = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

export const traceIdOf = (header: string | null | undefined): string | null =>
  parseTraceparent(header)?.traceId ?? null;

const MEMBER =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256}$/;
const MOST_MEMBERS = 32;
const MOST_CHARS = 512;

/** What others along the way noted; null when it is none or longer than has to be passed on. */
export function validTracestate(header: string | null | undefined): string | null {
  if (!header || header.length > MOST_CHARS) return null;
  const members = header
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  if (members.length === 0 || members.length > MOST_MEMBERS) return null;
  return members.every((member) => MEMBER.test(member)) ? members.join(",") : null;
}
