/** What each frame of a client does. One table: permission, and the answer. */
import { z } from "zod";
import { may, type NamedPermission } from "../../shared/auth/permission.ts";
import { asHivegateError, HivegateError, isOurFault } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { CLIENT_FRAME_TYPES, ClientFrame, type Filters, type Mode } from "../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { parseJson } from "../../shared/wire/json.ts";
import { createTask } from "../create-task.ts";
import type { ScopedSidecar } from "../scoped-sidecar.ts";
import type { Dialect } from "./dialect.ts";
import { errorFrame } from "./error-frame.ts";
import { utf8Bytes } from "./frames.ts";
import { REQUESTS } from "./requests.ts";
import type { Resume, SessionState } from "./session.ts";
import type { ToolActions } from "./session-tools.ts";
import type { Following } from "./task-feed.ts";
import { TOOL_FRAMES } from "./tool-frames.ts";

/** What the frames of one session can act on. */
export type SessionActions = {
  readonly hive: string;
  readonly identity: SessionState["identity"];
  readonly sidecar: ScopedSidecar;
  readonly tools: ToolActions;
  now(): number;
  uuid(): string;
  /** @throws HivegateError `forbidden` when a role does not allow frames of this type */
  allow(type: string): void;
  /** @throws HivegateError `overloaded` */
  follow(taskId: string, how: Following): void;
  /** The same, unless the task is followed already and as much of it shown. @throws HivegateError `overloaded` */
  followToo(taskId: string, how: Following): void;
  /** @throws HivegateError `overloaded` when no more tasks may be followed */
  mayFollow(how: Following): void;
  /** Tells the client that it does not follow this task. */
  notFollowed(taskId: string): void;
  unfollow(taskId: string): void;
  /** Changes filters or mode, and sends a snapshot if the session is a stream and now sees something else. */
  watch(change: { filters?: Filters; mode?: Mode }): void;
  /** Sends a snapshot, or what was missed since a position if that is remembered. */
  catchUp(resume: Resume | null): void;
  acknowledged(probe: string): void;
  /** Counts a snapshot that may be due. @throws HivegateError `rate_limited` */
  seeAnew(): void;
  /** Counts a look at the swarm's host. @throws HivegateError `rate_limited` */
  lookUp(): void;
  /** The client shows a fresh token. @throws HivegateError as `authenticate` */
  refresh(token: string): Promise<SessionState["identity"]>;
  session(): Pick<
    GatewayFrame & { type: "session" },
    "client_id" | "mode" | "effective_mode" | "filters" | "quality"
  >;
};

/** The frames that answer one: they carry its `requestId`. */
export type Answer = Exclude<
  GatewayFrame,
  {
    type:
      | "task_event"
      | "task_update"
      | "tool_chunk"
      | "tool_lost"
      | "welcome"
      | "hive_status"
      | "config_changed"
      | "snapshot"
      | "agent_update"
      | "probe"
      | "slowed"
      | "orchestrator_connected"
      | "orchestrator_disconnected"
      | "mode_changed"
      | "resumed";
  }
>;

export type Handler<Type> = {
  permission: NamedPermission | null;
  run(frame: ClientFrame & { type: Type }, actions: SessionActions): Promise<Answer | null> | Answer | null;
};

const RequestId = z.object({ requestId: z.string().max(100) });
const FrameType = z.object({ type: z.string() });

const control = (action: "stop" | "pause" | "resume"): Handler<`${typeof action}_task`> => ({
  permission: "tasks:write",
  run: async (frame, { sidecar, now }) => ({
    type: "task",
    task: await sidecar.control(frame.taskId, action),
    timestamp: now(),
  }),
});

const HANDLERS: { [Type in ClientFrame["type"]]: Handler<Type> } = {
  ping: { permission: null, run: (_, { now }) => ({ type: "pong", timestamp: now() }) },
  heartbeat: { permission: null, run: (_, { now }) => ({ type: "heartbeat_ack", timestamp: now() }) },

  create_task: {
    permission: "tasks:write",
    async run(frame, actions) {
      const mayRead = may(actions.identity, "tasks:read");
      const how = { after: 0, output: frame.follow };
      if (frame.follow && !mayRead) throw new HivegateError("forbidden");
      if (frame.follow) actions.mayFollow(how);
      const { task, created, telemetry } = await createTask(frame, actions);
      if (mayRead) followCreated(task.taskId, how, actions);
      const { taskId, swarmId, method, note, state } = task;
      return {
        type: "task_created",
        success: true,
        taskId,
        swarmId,
        method,
        ...(note !== undefined && { note }),
        state,
        created,
        timestamp: actions.now(),
        telemetry,
      };
    },
  },
  stop_task: control("stop"),
  pause_task: control("pause"),
  resume_task: control("resume"),

  get_task: {
    permission: "tasks:read",
    run: async ({ taskId }, { sidecar, now }) => ({
      type: "task",
      task: await sidecar.task(taskId),
      timestamp: now(),
    }),
  },
  list_tasks: {
    permission: "tasks:read",
    run: async (_, { sidecar, now }) => ({ type: "tasks", tasks: await sidecar.tasks(), timestamp: now() }),
  },
  get_status: {
    permission: "tasks:read",
    run: async (frame, { sidecar, now }) => ({
      type: "status",
      ...(await sidecar.status(frame.swarmId)),
      timestamp: now(),
    }),
  },
  list_swarms: {
    permission: "tasks:read",
    run: async (_, { sidecar, now }) => ({ type: "swarms", ...(await sidecar.swarms()), timestamp: now() }),
  },

  follow_task: {
    permission: "tasks:read",
    async run(frame, { sidecar, follow, now }) {
      // Asked first, so that a wrong id is an error here and not a stream that ends at once.
      await sidecar.task(frame.taskId);
      follow(frame.taskId, frame);
      return { type: "task_followed", taskId: frame.taskId, timestamp: now() };
    },
  },
  unfollow_task: {
    permission: "tasks:read",
    run(frame, { unfollow, now }) {
      unfollow(frame.taskId);
      return { type: "task_unfollowed", taskId: frame.taskId, reason: "asked", timestamp: now() };
    },
  },

  update_filters: {
    permission: "telemetry:read",
    run(frame, { seeAnew, watch, session, now }) {
      seeAnew();
      watch({ filters: frame.filters });
      return { type: "session", ...session(), timestamp: now() };
    },
  },
  performance_mode: {
    permission: "telemetry:read",
    run(frame, { watch, session, now }) {
      watch({ mode: frame.mode });
      return { type: "session", ...session(), timestamp: now() };
    },
  },
  configure: {
    permission: "telemetry:read",
    run({ filters, mode }, { seeAnew, watch, session, now }) {
      if (filters) seeAnew();
      watch({ ...(filters && { filters }), ...(mode && { mode }) });
      return { type: "session", ...session(), timestamp: now() };
    },
  },
  ...REQUESTS,
  ...TOOL_FRAMES,

  get_session: {
    permission: null,
    run: (_, { session, now }) => ({ type: "session", ...session(), timestamp: now() }),
  },
  get_snapshot: {
    permission: "telemetry:read",
    run(_, { seeAnew, catchUp }) {
      seeAnew();
      catchUp(null);
      return null;
    },
  },
  resume: {
    permission: "telemetry:read",
    run({ epoch, offset, view, requestId }, { seeAnew, catchUp }) {
      seeAnew();
      catchUp({ position: { epoch, offset, view }, requestId });
      return null;
    },
  },
  ack: {
    permission: null,
    run({ probe }, { acknowledged }) {
      acknowledged(probe);
      return null;
    },
  },
  refresh_token: {
    permission: null,
    async run({ token }, { refresh, now }) {
      const { expiresMs } = await refresh(token);
      return { type: "token_refreshed", expires_at: expiresMs, timestamp: now() };
    },
  },
};

/** Which request a frame is, if it says so: a refusal has to say it too. A large frame is not read for that. */
export function requestIdOf(data: string | ArrayBuffer): { requestId?: string } {
  if (typeof data !== "string" || data.length > LIMITS.refusedFrameChars) return {};
  try {
    return RequestId.safeParse(JSON.parse(data)).data ?? {};
  } catch {
    return {};
  }
}

/** The task runs: that it cannot be followed, because others came first, is no failure of the request. */
function followCreated(taskId: string, how: Following, { followToo, notFollowed }: SessionActions): void {
  try {
    followToo(taskId, how);
  } catch {
    notFollowed(taskId);
  }
}

/** The answer to a frame, if it has one. Never throws: an error is an answer too. */
export async function dispatch(
  data: string | ArrayBuffer,
  dialect: Dialect,
  actions: SessionActions,
  log: (error: HivegateError) => void,
): Promise<Answer | null> {
  let requestId: { requestId: string } | null = null;
  try {
    const json = dialect.read(readJson(data));
    requestId = RequestId.safeParse(json).data ?? null;
    const answer = await handle(parseFrame(json), actions);
    return answer && { ...answer, ...requestId };
  } catch (thrown) {
    const error = asHivegateError(thrown);
    if (isOurFault(error)) log(error);
    return { ...errorFrame(error, actions.now()), ...requestId };
  }
}

function readJson(data: string | ArrayBuffer): unknown {
  if (typeof data !== "string") throw new HivegateError("unknown_message");
  // A UTF-16 unit is at most three bytes of UTF-8, so most frames need no counting.
  if (data.length * 3 > LIMITS.clientFrameBytes && utf8Bytes(data) > LIMITS.clientFrameBytes) {
    throw new HivegateError("frame_too_large", `A frame is at most ${LIMITS.clientFrameBytes} bytes.`);
  }
  try {
    return parseJson(data);
  } catch {
    throw new HivegateError("invalid_json", "Unknown message format");
  }
}

function parseFrame(json: unknown): ClientFrame {
  const parsed = ClientFrame.safeParse(json);
  if (parsed.success) return parsed.data;
  const known = FrameType.safeParse(json);
  if (!known.success || !CLIENT_FRAME_TYPES.has(known.data.type)) throw new HivegateError("unknown_message");
  const issue = parsed.error.issues[0];
  throw new HivegateError("invalid_request", `${issue?.path.join(".") || "frame"}: ${issue?.message}`);
}

/** The table is keyed by type, but TypeScript cannot follow a key from a union to its own handler. */
function handle<Type extends ClientFrame["type"]>(
  frame: ClientFrame & { type: Type },
  actions: SessionActions,
): Promise<Answer | null> | Answer | null {
  const handler: Handler<Type> = HANDLERS[frame.type];
  actions.allow(frame.type);
  if (handler.permission && !may(actions.identity, handler.permission)) {
    throw new HivegateError("forbidden", `The token does not allow this: it lacks ${handler.permission}.`);
  }
  return handler.run(frame, actions);
}
