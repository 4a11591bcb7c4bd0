import type { Executor } from "../executor.ts";
import type { SwarmCli } from "../tasks-cli.ts";
import type { TaskRunner } from "./task-runner.ts";

/** Tasks by the swarm's own commands, in its container or on this host. */
export function commandRunner(executor: Executor, cli: SwarmCli): TaskRunner {
  return {
    method: executor.method,
    async start(request, { output, remember }) {
      await cli.prepare();
      return executor.start({ taskId: request.taskId, argv: cli.spawnArgv(request) }, { output, remember });
    },
    canStart: () => executor.canStart(),
    recover: (spec, { output }) => executor.recover(spec, output),
    stop: (taskId, options) => executor.stop(taskId, options),
    swarms: () => cli.swarms(),
  };
}
