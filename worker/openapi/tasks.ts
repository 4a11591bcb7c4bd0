import { z } from "zod";
import { CreateTaskRequest } from "../../shared/protocol/client.ts";
import { SwarmId, Timestamp } from "../../shared/protocol/ids.ts";
import {
  CreateTaskResult,
  OnlyEvents,
  SwarmList,
  SwarmStatus,
  TaskAnswer,
  TaskList,
} from "../../shared/protocol/sidecar.ts";
import { Task } from "../../shared/swarm/task.ts";
import type { Operation } from "./operation.ts";

const TASKS = "/v1/hives/:hive/tasks";

const Created = CreateTaskResult.extend({
  success: z.literal(true),
  ...Task.pick({ taskId: true, swarmId: true, method: true, note: true, state: true }).shape,
  timestamp: Timestamp,
});

const control = (action: string, what: string): Operation => ({
  ...{ method: "post", path: `${TASKS}/:id/${action}`, tag: "Tasks", needs: "tasks:write" },
  summary: `${what} a task`,
  description: "Where the swarm cannot do that, the answer says so: `not_supported`.",
  answers: { 200: TaskAnswer },
});

export const TASK_OPERATIONS: readonly Operation[] = [
  {
    ...{ method: "post", path: TASKS, tag: "Tasks", needs: "tasks:write" },
    summary: "Start a task",
    description: "Under the same key the same client starts it once, whatever is lost on the way.",
    headers: { "Idempotency-Key": "1 to 200 characters; in place of the body's `idempotencyKey`" },
    body: CreateTaskRequest.strict(),
    answers: { 200: Created, 201: Created },
  },
  {
    ...{ method: "get", path: TASKS, tag: "Tasks", needs: "tasks:read" },
    summary: "The tasks under way, and 200 that have ended, newest first",
    answers: { 200: TaskList },
  },
  {
    ...{ method: "get", path: `${TASKS}/:id`, tag: "Tasks", needs: "tasks:read" },
    summary: "One task",
    answers: { 200: TaskAnswer },
  },
  control("stop", "Stop"),
  control("pause", "Pause"),
  control("resume", "Resume"),
  {
    ...{ method: "get", path: `${TASKS}/:id/events`, tag: "Tasks", needs: "tasks:read" },
    summary: "What a task says and does, as it happens",
    description: "Ends with the task. Each event's id is its number: come back with the last one seen.",
    query: z.object({ after: z.int().nonnegative().optional(), only: OnlyEvents.optional() }),
    headers: { "Last-Event-ID": "in place of `after`" },
    answers: { 200: { media: "text/event-stream", description: "One `TaskEvent` in each event's data." } },
  },
  {
    ...{ method: "get", path: "/v1/hives/:hive/swarms", tag: "Swarm", needs: "tasks:read" },
    summary: "The swarms that the swarm's own commands tell of",
    answers: { 200: SwarmList },
  },
  {
    ...{ method: "get", path: "/v1/hives/:hive/status", tag: "Swarm", needs: "tasks:read" },
    summary: "The swarms and their tasks",
    query: z.object({ swarmId: SwarmId.optional() }),
    answers: { 200: SwarmStatus },
  },
];
