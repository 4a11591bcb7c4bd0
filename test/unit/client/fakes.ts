/** A gateway's end of a WebSocket, for tests of the client library. */

import type { OpenSocket, SocketEvents } from "../../../shared/client/web-socket.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import type { AgentPatch, SeenAgent } from "../../../shared/swarm/agent.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { aTask } from "../../support/agents.ts";

export class FakeGateway {
  readonly dials: { url: string; protocols: string[] }[] = [];
  /** Frames received on the present socket. */
  received: Record<string, unknown>[] = [];
  open = 0;
  /** By its own clock, which need not be the client's. */
  nowMs = 1;
  /** How long the token that the client came with goes on living. */
  lifeMs = Number.MAX_SAFE_INTEGER - 1;
  mostOpen = 0;
  #events: SocketEvents | null = null;

  readonly openSocket: OpenSocket = (url, protocols, events) => {
    this.dials.push({ url, protocols });
    this.received = [];
    this.#events = events;
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    return {
      send: (text) => void this.received.push(JSON.parse(text)),
      close: () => void this.open--,
    };
  };

  send(frame: GatewayFrame): void {
    this.#events?.message(JSON.stringify(frame));
  }

  sendRaw(data: string | ArrayBuffer): void {
    this.#events?.message(data);
  }

  close(code: number, reason = ""): void {
    this.#events?.close(code, reason);
  }

  welcome(): void {
    this.send({
      type: "welcome",
      client_id: crypto.randomUUID(),
      hive: "default",
      protocol: "hivegate.v1",
      epoch: "e",
      offset: 0,
      mode: "normal",
      filters: { include_performance: false, include_neural: false, include_topology: false },
      encoding: "json",
      expires_at: this.nowMs + this.lifeMs,
      limits: { frame_bytes: 1, frames_per_second: 1, follows: 1, idle_ms: 1 },
      timestamp: this.nowMs,
    });
  }

  ofType(type: string): Record<string, unknown>[] {
    return this.received.filter((frame) => frame.type === type);
  }
}

export const agent = (id: string, status = "working"): SeenAgent => ({
  agent_id: id,
  swarm_id: "s",
  server: "demo",
  server_source: "demo",
  name: null,
  agent_type: "worker",
  status,
  capabilities: [],
  current_task: null,
  progress: null,
  created_at: null,
  last_active: null,
});

export const status = (live: boolean, sinceMs: number): GatewayFrame => ({
  type: "hive_status",
  live,
  stale_since: live ? null : sinceMs,
  circuit: { state: "closed", since: 0, retry_at: null },
  timestamp: sinceMs,
});

export const TASK_ID = "0192d1a0-0000-4000-8000-000000000001";

export const task = (state: Task["state"], taskId = TASK_ID): Task =>
  aTask({ taskId, state, method: "process" });

export const snapshot = (offset: number, agents: SeenAgent[], epoch = "e"): GatewayFrame => ({
  type: "snapshot",
  epoch,
  offset,
  timestamp: 5,
  live: true,
  payload: { agents, servers: [], tasks: [] },
});

export const update = (
  from: number,
  offset: number,
  agents: AgentPatch[],
  removed: string[] = [],
): GatewayFrame => ({
  type: "agent_update",
  from,
  offset,
  timestamp: 6,
  payload: { agents, ...(removed.length > 0 && { removed }) },
});

export const output = (seq: number, text = `line ${seq}`): GatewayFrame => ({
  type: "task_event",
  event: { taskId: TASK_ID, seq, timestamp: 7, kind: "output", stream: "stdout", text },
});

/** Lets promises that are already settled have their say. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
