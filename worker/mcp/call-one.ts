import type { Identity } from "../../shared/auth/permission.ts";
import { asHivegateError, isOurFault } from "../../shared/errors.ts";
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import type { CallOne } from "./batch.ts";
import type { Defer } from "./events.ts";
import { type Policy, unknownTool } from "./policy.ts";
import type { ToolCall, ToolCalls } from "./tool-calls.ts";

export type Caller = Pick<ToolCall, "hive" | "trace" | "cacheControl"> & { identity: Identity; defer: Defer };

export type CallOnePorts = {
  gateway: { policy: Pick<Policy, "takeRequest">; toolCalls: Pick<ToolCalls, "call"> };
  now(): number;
  log(message: string, error: unknown): void;
};

/** Calls by qualified names. One of several in one request is decided, and counted, as if it had come alone. */
export const callOneFor =
  (caller: Caller, { gateway: { policy, toolCalls }, now, log }: CallOnePorts): CallOne =>
  async ({ tool: qualified, arguments: given }, signal) => {
    try {
      const place = splitQualifiedName(qualified);
      if (!place) throw unknownTool(qualified);
      policy.takeRequest(caller.identity, now());
      const { server, name: tool } = place;
      return (await toolCalls.call({ ...caller, server, tool, arguments: given, signal })).answer;
    } catch (thrown) {
      const error = asHivegateError(thrown);
      if (isOurFault(error)) log("a tool is called", error);
      throw error;
    }
  };
