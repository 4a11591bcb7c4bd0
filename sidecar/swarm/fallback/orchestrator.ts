/** How one kind of MCP server is given a task, asked how it is, and told to stop it. */
import { z } from "zod";
import { type ErrorCode, HivegateError } from "../../../shared/errors.ts";
import { UnreadableAnswer } from "../../mcp/unreadable-answer.ts";
import type { CallTool } from "../../telemetry/profile.ts";
import type { SpawnRequest } from "../profiles/profile.ts";

/** What a server says of a task that it has. `result` is in its own words; null when it tells of none. */
export type Told = {
  state: "running" | "completed" | "failed" | "stopped";
  reason: string | null;
  result: unknown;
};

export interface Orchestrator {
  /**
   * Gives the task to the server. `commit` is called right before the call that makes the task there, with the id
   * that it will have where the server takes ours, and again as soon as the server has named it. `how` says in a
   * few words who does the task.
   * @throws HivegateError as `LiveConnection.call`; once committed, one that `isNotGiven` knows only when the
   * server has no such task
   */
  give(
    request: SpawnRequest,
    call: CallTool,
    commit: (id: string | null) => void,
  ): Promise<{ swarmId: string | null; how: string }>;

  /**
   * How a task is. Null where the server has no means to tell.
   * @throws HivegateError as `LiveConnection.call`; with `mcp_failed` the server cannot tell
   */
  readonly status: ((id: string, call: CallTool) => Promise<Told>) | null;

  /** Null where the server has no means to stop one task. @throws HivegateError as `LiveConnection.call` */
  readonly stop: ((id: string, call: CallTool) => Promise<void>) | null;
}

const REFUSED: readonly ErrorCode[] = ["mcp_failed", "circuit_open", "overloaded"];

/** Whether a call did nothing for sure: the server refused it, or it was not sent. */
export const isNotGiven = (thrown: unknown): boolean =>
  thrown instanceof HivegateError && REFUSED.includes(thrown.code) && !(thrown instanceof UnreadableAnswer);

/** A server's id for a task; it comes back to it as it is. */
export const UpstreamId = z.string().min(1).max(200);

/** @throws UnreadableAnswer unless the answer has the expected shape, whatever it says of success */
export function expected<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw new UnreadableAnswer(parsed.error);
  return parsed.data;
}

/** A state in the server's own words. One that is none of an end's means that the task is under way. */
export function stateOf(status: string): Told["state"] {
  switch (status) {
    case "completed":
      return "completed";
    case "failed":
      return "failed";
    case "stopped":
    case "cancelled":
      return "stopped";
    default:
      return "running";
  }
}
