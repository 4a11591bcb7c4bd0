/** MCP servers that answer as a test says, and a task to give to them. */
import { HivegateError } from "../../../../shared/errors.ts";
import { GenericTools } from "../../../../sidecar/mcp/generic-tools.ts";
import type { McpProfileName } from "../../../../sidecar/mcp/server-config.ts";
import type { RunCallbacks } from "../../../../sidecar/swarm/fallback/task-runner.ts";
import { type Upstream, upstreamsOf } from "../../../../sidecar/swarm/fallback/upstreams.ts";
import type { SpawnRequest } from "../../../../sidecar/swarm/profiles/profile.ts";
import { TASK_ID } from "../../sidecar/fakes.ts";

export const REQUEST: SpawnRequest = {
  taskId: TASK_ID,
  task: "--help $(reboot)\nbuild it",
  priority: "High",
  verbose: false,
};

type Args = Record<string, unknown>;
export type Script = Record<string, (args: Args) => unknown>;

/** A tool that the script does not have is one that the server does not have either. */
export function scripted(profile: McpProfileName, script: Script, name = "flow") {
  const calls: [string, Args][] = [];
  const state = { answersPings: true };
  const server = {
    ...{ name, pool: name, profile, generic: GenericTools.parse({}) },
    connection: {
      ...{ isFailing: false, retryInMs: 0, pending: 0 },
      async ping() {
        if (!state.answersPings) throw new HivegateError("mcp_unavailable");
        return 1;
      },
      async call(tool: string, args: Args) {
        calls.push([tool, args]);
        const answer = script[tool];
        if (!answer) throw new HivegateError("mcp_failed");
        return answer(args);
      },
    },
  };
  const [upstream] = upstreamsOf([server]);
  return { server, upstream, calls, state, tools: () => calls.map(([tool]) => tool) };
}

export function upstreamOf(scriptedServer: { upstream: Upstream | undefined }): Upstream {
  if (!scriptedServer.upstream) throw new Error("this server takes no tasks");
  return scriptedServer.upstream;
}

/** What a runner says of a task, in its order. */
export function heard() {
  const said: unknown[] = [];
  const handles: string[] = [];
  const callbacks: RunCallbacks = {
    output: (_stream, text) => said.push(text),
    remember: () => said.push("remembered, but not durably"),
    rememberDurably: (handle) => {
      handles.push(handle);
      said.push("remembered");
    },
    given: (given) => said.push(given),
  };
  return { said, handles, callbacks };
}

export const failing = (code: HivegateError["code"]) => () => Promise.reject(new HivegateError(code));

export const caught = (promise: Promise<unknown>): Promise<HivegateError> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (thrown: unknown) => {
      if (thrown instanceof HivegateError) return thrown;
      throw thrown;
    },
  );
