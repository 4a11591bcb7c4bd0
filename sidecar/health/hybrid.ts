import { HivegateError } from "../../shared/errors.ts";
import type { Circuit, HybridHealth } from "../../shared/protocol/sidecar.ts";
import type { Logger } from "../log.ts";
import type { McpServerConfigOf } from "../mcp/server-config.ts";
import { within } from "../mcp/within.ts";
import type { ExecutorHealth } from "../swarm/executor.ts";
import { kept } from "./kept.ts";
import type { Memory } from "./memory.ts";
import { httpProbe, type Probe, tcpProbe, webSocketProbe } from "./probes.ts";

export type HybridHealthOptions = {
  executorHealth(): Promise<ExecutorHealth>;
  /** The breaker in front of the executor; null: there is none. */
  circuit(): Circuit | null;
  /** False: MCP is switched off, and nothing of it is checked. */
  mcpEnabled: boolean;
  /** Those that there are now and that listen on a port: nothing is learnt of the others without a call. */
  servers(): readonly Pick<McpServerConfigOf<"tcp">, "name" | "host" | "port">[];
  /** Those in use now: they may change. `ws:` or `wss:`. */
  orchestratorUrls(): readonly string[];
  /** What orchestrators want to be sent; null: nothing. */
  orchestratorToken: string | null;
  /** `http:` or `https:`; null: there is none. */
  healthUrl: string | null;
  memory(): Memory;
  log: Logger;
  now: () => number;
};

type Components = HybridHealth["components"];
type McpHealth = Components["mcp_telemetry"]["overall_mcp_health"];

/** What it is called in the log, beside the services. */
const EXECUTOR = "executor";
const PROBE_MS = 200;
const EXECUTOR_MS = 500;
/** A health check must not be a lever to load the host. */
const KEPT_MS = 1_000;

/**
 * How the swarm's host is (H7): every service is really tried, all at once, within 500 ms. What is said of a
 * fault is fit for strangers; what really happened is in the log.
 */
export class HybridHealthCheck {
  readonly #options: HybridHealthOptions;
  readonly #unwell = new Set<string>();
  /** At most a second old. Never throws. */
  readonly check: () => Promise<HybridHealth>;

  constructor(options: HybridHealthOptions) {
    this.#options = options;
    this.check = kept(() => this.#look(), KEPT_MS, options.now);
  }

  async #look(): Promise<HybridHealth> {
    const probes = probesOf(this.#options);
    this.#forgetOthers(probes.map(([service]) => service));
    const [docker_hive_mind, mcp_services] = await Promise.all([
      this.#executor(),
      Promise.all(probes.map(([service, probe]) => this.#service(service, probe))),
    ]);
    const overall_mcp_health = this.#mcpHealth(mcp_services);
    const dockerIsWell = docker_hive_mind.status === "healthy";
    const mcpIsWell = mcp_services.every(({ healthy }) => healthy);
    return {
      system: "hybrid_docker_mcp",
      overall_status: dockerIsWell && mcpIsWell ? "healthy" : "degraded",
      components: {
        docker_hive_mind,
        mcp_telemetry: { mcp_services, overall_mcp_health },
        sidecar: this.#options.memory(),
      },
      note: noteOn(dockerIsWell, overall_mcp_health),
      timestamp: this.#options.now(),
    };
  }

  async #executor(): Promise<Components["docker_hive_mind"]> {
    const health = await within(
      this.#options.executorHealth(),
      EXECUTOR_MS,
      () => new HivegateError("timeout"),
    )
      // `Executor.health` never throws, so this is time that has run out, or a fault of ours.
      .catch((err: unknown): ExecutorHealth => ({ running: false, details: { err } }));
    const circuit = this.#options.circuit();
    const rest = { ...(circuit && { circuit }), timestamp: this.#options.now() };
    this.#noteChange(EXECUTOR, health.running, health.details);
    if (health.running) return { status: "healthy", details: health.details, ...rest };
    return { status: "critical", error: "Commands cannot be run where the swarm lives.", ...rest };
  }

  async #service(
    service: string,
    probe: Probe,
  ): Promise<Components["mcp_telemetry"]["mcp_services"][number]> {
    try {
      await probe(AbortSignal.timeout(PROBE_MS));
      this.#noteChange(service, true);
      return { service, healthy: true, timestamp: this.#options.now() };
    } catch (err) {
      this.#noteChange(service, false, { err });
      const error = `It did not answer as it should within ${PROBE_MS} ms.`;
      return { service, healthy: false, error, timestamp: this.#options.now() };
    }
  }

  /** What is not checked any more is neither well nor unwell. */
  #forgetOthers(services: readonly string[]): void {
    for (const service of this.#unwell)
      if (service !== EXECUTOR && !services.includes(service)) this.#unwell.delete(service);
  }

  /** One line in the log for each change, however often somebody asks. */
  #noteChange(service: string, isWell: boolean, details: object = {}): void {
    if (isWell !== this.#unwell.has(service)) return;
    if (isWell) {
      this.#unwell.delete(service);
      this.#options.log.info({ service }, "health: well again");
    } else {
      this.#unwell.add(service);
      this.#options.log.warn({ service, ...details }, "health: not well");
    }
  }

  /** Where nothing is configured there is no telemetry to be well or unwell. */
  #mcpHealth(services: readonly { healthy: boolean }[]): McpHealth {
    if (services.length === 0) return "disabled";
    const healthy = services.filter((service) => service.healthy).length;
    if (healthy === services.length) return "healthy";
    return healthy === 0 ? "unavailable" : "degraded";
  }
}

function probesOf(options: HybridHealthOptions): [service: string, Probe][] {
  const { servers, orchestratorToken, healthUrl } = options;
  if (!options.mcpEnabled) return [];
  const urls = options.orchestratorUrls();
  // Strangers may know how many there are, and not where.
  const nameOf = (index: number) => (urls.length === 1 ? "orchestrator" : `orchestrator:${index + 1}`);
  return [
    ...servers().map(({ name, host, port }): [string, Probe] => [`mcp:${name}`, tcpProbe(host, port)]),
    ...urls.map((url, index): [string, Probe] => [nameOf(index), webSocketProbe(url, orchestratorToken)]),
    ...(healthUrl ? [["http_health", httpProbe(healthUrl)] satisfies [string, Probe]] : []),
  ];
}

const TELEMETRY_NOTES: Record<McpHealth, string> = {
  healthy: "telemetry is live",
  degraded: "telemetry is incomplete",
  unavailable: "telemetry is missing",
  disabled: "telemetry is switched off",
};

const noteOn = (dockerIsWell: boolean, mcp: McpHealth): string =>
  `${dockerIsWell ? "Tasks can be started" : "Tasks cannot be started by command"}, and ${TELEMETRY_NOTES[mcp]}.`;
