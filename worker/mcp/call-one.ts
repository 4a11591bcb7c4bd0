import type { Identity } from "../../shared/auth/permission.ts";
import { asHivegateError, isOurFault } from "../../shared/errors.ts";
import type { CallOne } from "./batch.ts";
import type { Defer } from "./events.ts";
import type { ToolCall, ToolCalls } from "./tool-calls.ts";

export type Caller = Pick<ToolCall, "hive" | "trace" | "cacheControl"> & { identity: Identity; defer: Defer };

export type CallOnePorts = {
  gateway: { toolCalls: Pick<ToolCalls, "call"> };
  log(message: string, error: unknown): void;
};

/** One of several calls in one request is decided, and counted, as if it had come alone. */
export const callOneFor =
  (caller: Caller, { gateway: { toolCalls }, log }: CallOnePorts): CallOne =>
  async ({ tool, arguments: given }, signal) => {
    try {
      return (await toolCalls.call({ ...caller, tool, arguments: given, isRequest: true, signal })).answer;
    } catch (thrown) {
      const error = asHivegateError(thrown);
      if (isOurFault(error)) log("a tool is called", error);
      throw error;
    }
  };
