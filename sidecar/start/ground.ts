/** What every part of the sidecar stands on: the ledger, who runs commands where the swarm lives, metrics and the log. */
import { resolve } from "node:path";
import Dockerode from "dockerode";
import { platformClock } from "../../shared/clock.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import { SidecarMetrics } from "../metrics/metrics.ts";
import { observedExecutor } from "../metrics/observed-executor.ts";
import { createDockerExecutor } from "../swarm/docker/executor.ts";
import { GuardedExecutor } from "../swarm/docker/guarded-executor.ts";
import type { Executor } from "../swarm/executor.ts";
import { Ledger } from "../swarm/ledger.ts";
import { createProcessExecutor } from "../swarm/process/executor.ts";
import { StartError, whyOf } from "./start-error.ts";

export type Ground = {
  config: Config;
  log: Logger;
  ledger: Ledger;
  executor: Executor;
  /** The circuit breaker in front of Docker; null: commands are processes of this host. */
  guard: GuardedExecutor | null;
  metrics: SidecarMetrics;
};

/** @throws StartError */
export function openGround(config: Config, given: Executor | undefined, log: Logger): Ground {
  const opened = openState(config, given);
  const { ledger } = opened;
  const metrics = new SidecarMetrics({ hive: config.hive, method: opened.executor.method });
  const observed = observedExecutor(opened.executor, metrics.command);
  const guard = guardOf(config, observed, ledger, log);
  return { config, log, ledger, executor: guard ?? observed, guard, metrics };
}

function openState(config: Config, given: Executor | undefined): { ledger: Ledger; executor: Executor } {
  try {
    const executor = given ?? executorFor(config);
    return { executor, ledger: new Ledger(config.stateDir) };
  } catch (cause) {
    throw new StartError(`SIDECAR_STATE_DIR: ${whyOf(cause)}`, { cause });
  }
}

function executorFor(config: Config): Executor {
  if (config.executor === "process") {
    const cwd = config.workdir === null ? {} : { cwd: config.workdir };
    return createProcessExecutor({
      stateDir: resolve(config.stateDir, "processes"),
      env: config.swarmEnv,
      ...cwd,
    });
  }
  return createDockerExecutor({
    docker: new Dockerode({ socketPath: config.dockerSocket }),
    container: config.container,
    allowed: config.allowedContainers,
    commandTimeoutMs: config.commandTimeoutMs,
    ...(config.workdir === null ? {} : { workdir: config.workdir }),
  });
}

/** Docker is behind a circuit breaker; processes of this host do not go away by themselves. */
function guardOf(config: Config, executor: Executor, ledger: Ledger, log: Logger): GuardedExecutor | null {
  if (executor.method !== "docker-exec") return null;
  return new GuardedExecutor({
    executor,
    name: `docker:${config.container}@${config.dockerSocket}`,
    breakers: ledger.breakers(log),
    clock: platformClock,
    random: Math.random,
    log,
  });
}
