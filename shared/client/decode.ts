/**
 * JSON that comes from the gateway. It was made by the types named here and came over an authenticated
 * connection, so only its kind is looked at: the schemas would make the page's script several times larger.
 * A kind that is not known comes from a newer gateway and is passed over.
 */
import type { GatewayFrame } from "../protocol/gateway.ts";
import type { ToolChunk } from "../protocol/tools.ts";
import type { Task, TaskEvent, TaskState } from "../swarm/task.ts";

const FRAME_TYPES: Record<GatewayFrame["type"], true> = {
  pong: true,
  heartbeat_ack: true,
  error: true,
  task_created: true,
  task: true,
  tasks: true,
  task_update: true,
  task_event: true,
  task_followed: true,
  task_unfollowed: true,
  tool_result: true,
  tool_stream: true,
  tool_chunk: true,
  tool_lost: true,
  tool_cancelled: true,
  status: true,
  swarms: true,
  welcome: true,
  session: true,
  hive_status: true,
  config_changed: true,
  snapshot: true,
  agent_update: true,
  resumed: true,
  probe: true,
  token_refreshed: true,
  mode_changed: true,
  multi_agent_update: true,
  discovery: true,
  topology_update: true,
  performance_analysis: true,
  slowed: true,
  orchestrator_connected: true,
  orchestrator_disconnected: true,
};

const EVENT_KINDS: Record<TaskEvent["kind"], true> = { output: true, state: true, gap: true };

const STATE_IS_FINAL: Record<TaskState, boolean> = {
  queued: false,
  spawning: false,
  running: false,
  completed: true,
  failed: true,
  stopped: true,
  lost: true,
};

/** The frame, or null when it is none that this library knows. */
export function readFrame(text: string): GatewayFrame | null {
  const json = parse(text);
  return isFrame(json) ? json : null;
}

/** The event, or null when it is none that this library knows. */
export function readTaskEvent(text: string): TaskEvent | null {
  const json = parse(text);
  return isTaskEvent(json) ? json : null;
}

/** The chunk of a tool's streamed call, or null when it is none that this library knows. */
export function readToolChunk(text: string): ToolChunk | null {
  const json = parse(text);
  return isToolChunk(json) ? json : null;
}

/** What a streamed call is called, as its stream begins. */
export function readStreamId(text: string): string | null {
  const json = parse(text);
  const named = typeof json === "object" && json !== null && "stream_id" in json ? json.stream_id : null;
  return typeof named === "string" ? named : null;
}

/** How a task is, in a word: a paused one is still running. */
export const stateWord = ({ state, pausedAt }: Pick<Task, "state" | "pausedAt">): TaskState | "paused" =>
  pausedAt === null ? state : "paused";

/** A line of output as its process wrote it: with its newline, if that came. */
export const outputText = ({ text, partial }: { text: string; partial?: true | undefined }): string =>
  partial ? text : `${text}\n`;

export const isFinalState = (state: TaskState): boolean => STATE_IS_FINAL[state];

/** Whether this is the event that ends its task. */
export const isFinalEvent = (event: TaskEvent): boolean =>
  event.kind === "state" && isFinalState(event.task.state);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const isFrame = (json: unknown): json is GatewayFrame =>
  typeof json === "object" &&
  json !== null &&
  "type" in json &&
  typeof json.type === "string" &&
  Object.hasOwn(FRAME_TYPES, json.type);

const isTaskEvent = (json: unknown): json is TaskEvent =>
  typeof json === "object" &&
  json !== null &&
  "kind" in json &&
  typeof json.kind === "string" &&
  Object.hasOwn(EVENT_KINDS, json.kind) &&
  "seq" in json &&
  typeof json.seq === "number";

const isToolChunk = (json: unknown): json is ToolChunk =>
  typeof json === "object" &&
  json !== null &&
  "stream_id" in json &&
  "seq" in json &&
  typeof json.seq === "number" &&
  "data" in json &&
  typeof json.data === "object" &&
  json.data !== null;
