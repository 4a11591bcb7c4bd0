import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { SwarmId } from "../../shared/protocol/ids.ts";
import { EventsQuery, type OnlyEvents, TelemetryQuery } from "../../shared/protocol/sidecar.ts";
import { parseJson } from "../../shared/wire/json.ts";
import type { TelemetryRequest } from "../telemetry/hub.ts";

/** @throws HivegateError `invalid_json`, `invalid_request` */
export function parseBody<T extends z.ZodType>(schema: T, body: Uint8Array): z.infer<T> {
  const parsed = schema.safeParse(jsonIn(body));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HivegateError("invalid_request", `${issue?.path.join(".") || "body"}: ${issue?.message}`);
}

/** The number of the last event that a reader saw: 0 when it has seen none. @throws HivegateError `invalid_request` */
export function parseLastEventId(header: string | undefined): number {
  if (header === undefined || header === "") return 0;
  if (!/^\d{1,15}$/.test(header))
    throw new HivegateError("invalid_request", "Last-Event-ID: expected the number of an event.");
  return Number(header);
}

/** Who reads a task's events, and the one kind of them that is asked for, if it is one. @throws HivegateError `invalid_request` */
export function parseEventsQuery(query: Record<string, string>): { client: string; only: OnlyEvents | null } {
  const parsed = EventsQuery.safeParse(query);
  if (!parsed.success)
    throw new HivegateError("invalid_request", "Expected client, and only: state, if anything.");
  const { client, only = null } = parsed.data;
  return { client, only };
}

/** The swarms that are asked about; null: all. @throws HivegateError `invalid_request` */
export function parseSwarmIds(query: string[] | undefined): string[] | null {
  if (query === undefined) return null;
  const parsed = z.array(SwarmId).safeParse(query);
  if (!parsed.success) throw new HivegateError("invalid_request", "swarmId: expected the id of a swarm.");
  return parsed.data;
}

/** Who reads the telemetry, how often it wants news, and from where on. @throws HivegateError `invalid_request` */
export function parseTelemetryRequest(query: Record<string, string>): TelemetryRequest {
  const parsed = TelemetryQuery.safeParse(query);
  if (!parsed.success)
    throw new HivegateError("invalid_request", "Expected reader, and intervalMs, epoch and offset if any.");
  const { reader, intervalMs = null, epoch, offset, config } = parsed.data;
  const position = epoch !== undefined && offset !== undefined ? { epoch, offset } : null;
  return { reader, intervalMs, position, ...(config && { config: true }) };
}

function jsonIn(body: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new HivegateError("invalid_json", "Send one JSON object as the body.");
  }
}
