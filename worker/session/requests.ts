/**
 * What a client asks to be looked up at once, beside what is pushed to it (H5, H6), on a socket or over HTTP: each costs
 * the host work.
 */
import type { NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { ClientFrame } from "../../shared/protocol/client.ts";
import type { TaskMethod } from "../../shared/swarm/task.ts";
import type { Answer, SessionActions } from "./dispatch.ts";
import { errorFrame } from "./error-frame.ts";

type RequestType = "request_agents" | "request_discovery" | "request_topology" | "request_performance";

/** What looking up needs of a session. */
export type LookUpActions = Pick<SessionActions, "sidecar" | "lookUp" | "now"> & {
  session(): { client_id: string };
};

type LookUp<Type> = {
  permission: NamedPermission;
  run(frame: ClientFrame & { type: Type }, actions: LookUpActions): Promise<Answer>;
};

export const REQUESTS: { [Type in RequestType]: LookUp<Type> } = {
  request_agents: {
    permission: "telemetry:read",
    async run(_, { sidecar, lookUp, now }) {
      lookUp();
      const { docker, mcp_telemetry } = await sidecar.agents();
      if ("error" in docker) {
        const error = new HivegateError(docker.error.code, docker.error.message);
        return { ...errorFrame(error, now()), source: "docker", mcp_telemetry };
      }
      const source = sourceOf(docker.method);
      return { type: "multi_agent_update", source, swarms: docker.swarms, timestamp: now(), mcp_telemetry };
    },
  },
  request_discovery: {
    permission: "telemetry:read",
    async run(_, { sidecar, lookUp, session, now }) {
      lookUp();
      const { docker, mcp } = await sidecar.discovery();
      const isAnyWell =
        docker.docker_health === "healthy" || mcp.servers.some(({ status }) => status === "available");
      if (!isAnyWell) throw new HivegateError("swarm_unavailable", "No healthy services available");
      return { type: "discovery", client_id: session().client_id, docker, mcp, timestamp: now() };
    },
  },
  request_topology: {
    permission: "telemetry:read",
    async run({ swarm_id }, { sidecar, lookUp, now }) {
      lookUp();
      const { mcp_status, telemetry } = (await sidecar.latest()).mcp_telemetry;
      const all = telemetry?.swarms ?? [];
      const swarms = swarm_id === undefined ? all : all.filter((swarm) => swarm.swarm_id === swarm_id);
      return { type: "topology_update", mcp_status, swarms, timestamp: now() };
    },
  },
  request_performance: {
    permission: "telemetry:read",
    async run(_, { sidecar, lookUp, now }) {
      lookUp();
      const { mcp_telemetry, container } = await sidecar.latest();
      const agents = (mcp_telemetry.telemetry?.agents ?? []).map(
        ({ agent_id, swarm_id, server, performance }) => ({ agent_id, swarm_id, server, performance }),
      );
      const { mcp_status } = mcp_telemetry;
      return { type: "performance_analysis", mcp_status, agents, container, timestamp: now() };
    },
  },
};

const sourceOf = (method: TaskMethod) => (method === "process" ? "process" : "docker");
