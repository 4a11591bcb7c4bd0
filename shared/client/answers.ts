import type { z } from "zod";
import type { ClientFrame } from "../protocol/client.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";

/** Which frame answers which request. */
const ANSWERS = {
  ping: "pong",
  heartbeat: "heartbeat_ack",
  create_task: "task_created",
  stop_task: "task",
  pause_task: "task",
  resume_task: "task",
  get_task: "task",
  list_tasks: "tasks",
  get_status: "status",
  list_swarms: "swarms",
  follow_task: "task_followed",
  unfollow_task: "task_unfollowed",
  call_tool: ["tool_result", "tool_stream"],
  resume_tool: "tool_stream",
  cancel_tool: "tool_cancelled",
  update_filters: "session",
  performance_mode: "session",
  configure: "session",
  get_session: "session",
  request_agents: "multi_agent_update",
  request_discovery: "discovery",
  request_topology: "topology_update",
  request_performance: "performance_analysis",
  refresh_token: "token_refreshed",
} as const satisfies {
  [Type in ClientFrame["type"]]?: GatewayFrame["type"] | readonly GatewayFrame["type"][];
};

type Answers = typeof ANSWERS;
type Requests = { [Type in RequestType]: Extract<z.input<typeof ClientFrame>, { type: Type }> };

export type RequestType = keyof Answers;
/** A request as its caller writes it: what has a default may be left out. */
export type Request<Type extends RequestType> = Requests[Type];
export type Answer<Type extends RequestType> = Extract<GatewayFrame, { type: OneOf<Answers[Type]> }>;
type OneOf<Names> = Names extends readonly (infer Name)[] ? Name : Names;

export const answers = <Type extends RequestType>(
  frame: GatewayFrame,
  type: RequestType,
): frame is Answer<Type> => [ANSWERS[type]].flat().some((name) => name === frame.type);
