/** Tools, as the frames of one session may use them. */
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import type { ToolStream } from "../../shared/protocol/tools.ts";
import { type CallOnePorts, callOneFor } from "../mcp/call-one.ts";
import type { Defer } from "../mcp/events.ts";
import type { Caller, StreamCall, ToolStreams } from "../mcp/streams.ts";
import type { SessionState } from "./session.ts";

/** Each throws HivegateError: what the client may not do, and what keeps the sidecar from it. */
export type ToolActions = {
  /** The server's own answer. It is cancelled when the session is gone. */
  call(call: StreamCall): Promise<McpAnswer>;
  /** Begins a streamed call, and has the session read it. */
  start(call: StreamCall): Promise<ToolStream>;
  /** Has the session read it after chunk number `after`. */
  resume(streamId: string, after: number): Promise<ToolStream>;
  cancel(streamId: string): Promise<unknown>;
};

export type ToolPorts = { gateway: CallOnePorts["gateway"] & { toolStreams: ToolStreams }; defer: Defer };

/** Whose session it is. */
export type ToolUser = { hive: string; identity: SessionState["identity"] };

export type SessionPorts = {
  /** Aborted when the session is gone. */
  signal: AbortSignal;
  /** @throws HivegateError `overloaded` */
  mayRead(streamId: string | null): void;
  /** @throws HivegateError `overloaded` */
  read(streamId: string, after: number): void;
};

export const toolActions = (
  ports: ToolPorts | undefined,
  user: ToolUser,
  { mayRead, read, signal }: SessionPorts,
): ToolActions => ({
  async call(call) {
    const { caller, gateway } = at(ports, user);
    return callOneFor(caller, { gateway, log: LOGGED_WITH_FRAME })(call, signal);
  },
  async start(call) {
    mayRead(null);
    const { caller, gateway } = at(ports, user);
    const stream = await gateway.toolStreams.start(caller, call);
    try {
      read(stream.streamId, 0);
    } catch (full) {
      // Others came first: nobody would ever read what was just begun.
      if (stream.created) await gateway.toolStreams.cancel(caller, stream.streamId);
      throw full;
    }
    return stream;
  },
  async resume(streamId, after) {
    mayRead(streamId);
    const { caller, gateway } = at(ports, user);
    const stream = await gateway.toolStreams.find(caller, streamId);
    read(streamId, after);
    return stream;
  },
  async cancel(streamId) {
    const { caller, gateway } = at(ports, user);
    return gateway.toolStreams.cancel(caller, streamId);
  },
});

/** What a streamed call of this client's tells after chunk number `after`. */
export function toolChunks(
  ports: ToolPorts | undefined,
  user: ToolUser,
  ...read: [streamId: string, after: number, signal: AbortSignal]
): ReturnType<ToolStreams["chunks"]> {
  const { caller, gateway } = at(ports, user);
  return gateway.toolStreams.chunks(caller, ...read);
}

/** Whatever goes wrong with a frame is logged by whoever answers it. */
const LOGGED_WITH_FRAME = (): void => {};

/** What a client may do is remembered by its identity, so one session's has to be the same object each time. */
const identities = new WeakMap<SessionState["identity"], Identity>();

/** @throws HivegateError `not_supported` */
function at(ports: ToolPorts | undefined, { hive, identity }: ToolUser): ToolPorts & { caller: Caller } {
  if (!ports) throw new HivegateError("not_supported", "Tools cannot be called here.");
  const whole = identities.get(identity) ?? { ...identity, hives: [hive] };
  identities.set(identity, whole);
  return { ...ports, caller: { hive, identity: whole, defer: ports.defer } };
}
