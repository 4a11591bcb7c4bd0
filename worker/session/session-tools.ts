/** Tools, as the frames of one session may use them. */
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import type { ToolStream } from "../../shared/protocol/tools.ts";
import type { Defer } from "../mcp/events.ts";
import { type Caller, partsOf, type StreamCall, type ToolStreams } from "../mcp/streams.ts";
import type { ToolCalls } from "../mcp/tool-calls.ts";
import type { SessionState } from "./session.ts";

/** Each throws HivegateError: what the client may not do, and what keeps the sidecar from it. */
export type ToolActions = {
  /** The server's own answer. It is cancelled when the session ends. */
  call(call: StreamCall): Promise<McpAnswer>;
  /** Begins a streamed call, and has the session read it. */
  start(call: StreamCall): Promise<ToolStream>;
  /** Has the session read it after chunk number `after`. */
  resume(streamId: string, after: number): Promise<ToolStream>;
  cancel(streamId: string): Promise<unknown>;
};

export type ToolPorts = { calls: Pick<ToolCalls, "call">; streams: ToolStreams; defer: Defer };

/** Whose session it is. */
export type ToolUser = { hive: string; identity: SessionState["identity"] };

/** How a session reads streamed calls. */
export type Reading = {
  /** @throws HivegateError `overloaded` */
  mayRead(streamId: string | null): void;
  /** @throws HivegateError `overloaded` */
  read(streamId: string, after: number): void;
};

/** A call ends with `signal`: its session is gone. */
export const toolActions = (
  ports: ToolPorts | undefined,
  user: ToolUser,
  { mayRead, read, signal }: Reading & { signal: AbortSignal },
): ToolActions => ({
  async call({ tool, arguments: args }) {
    const { calls, defer } = known(ports);
    const { answer } = await calls.call({
      ...{ ...callerOf(user), ...partsOf(tool), arguments: args },
      ...{ signal, defer },
    });
    return answer;
  },
  async start(call) {
    mayRead(null);
    const stream = await known(ports).streams.start(callerOf(user), call);
    read(stream.streamId, 0);
    return stream;
  },
  async resume(streamId, after) {
    mayRead(streamId);
    const stream = await known(ports).streams.find(callerOf(user), streamId);
    read(streamId, after);
    return stream;
  },
  cancel: async (streamId) => known(ports).streams.cancel(callerOf(user), streamId),
});

/** What a streamed call of this client's tells after chunk number `after`. */
export const toolChunks = (
  ports: ToolPorts | undefined,
  user: ToolUser,
  ...read: [streamId: string, after: number, signal: AbortSignal]
): ReturnType<ToolStreams["chunks"]> => known(ports).streams.chunks(callerOf(user), ...read);

function known(ports: ToolPorts | undefined): ToolPorts {
  if (!ports) throw new HivegateError("not_supported", "Tools cannot be called here.");
  return ports;
}

/** What a client may do is remembered by its identity, so one session's has to be the same object each time. */
const identities = new WeakMap<SessionState["identity"], Identity>();

function callerOf({ hive, identity }: ToolUser): Caller {
  const whole = identities.get(identity) ?? { ...identity, hives: [hive] };
  identities.set(identity, whole);
  return { hive, identity: whole };
}
