import { Counter, Gauge, type Registry } from "prom-client";
import { CIRCUIT_LEVELS } from "../../shared/metrics/circuit-levels.ts";
import type { Circuit, ServerState } from "../../shared/protocol/sidecar.ts";
import type { TelemetryHub } from "../telemetry/hub.ts";

/** What is looked at when somebody asks for the metrics, and costs nothing before that. */
export type StateSources = {
  /** Whether commands can be run where the swarm lives. Never rejects, and takes half a second at most. */
  swarmIsUp(): Promise<boolean>;
  /** By what they stand before, such as `docker` or `mcp:NAME`. */
  circuits(): Iterable<readonly [dependency: string, circuit: Circuit]>;
  servers(): readonly ServerState[];
  telemetry: Pick<TelemetryHub, "figures">;
  refusals: Readonly<Record<string, number>>;
  now(): number;
};

export function watchState(registry: Registry, sources: StateSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        this.set(await read());
      },
    });
  const figures = () => sources.telemetry.figures;

  gauge("hivegate_swarm_up", "Whether commands can be run where the swarm lives: 1 or 0.", async () =>
    Number(await sources.swarmIsUp()),
  );
  gauge(
    "hivegate_telemetry_readers",
    "Telemetry streams that are open; one gateway reads one.",
    () => figures().readers,
  );
  gauge("hivegate_telemetry_watched", "Whether somebody wants news, so that servers are asked: 1 or 0.", () =>
    Number(figures().isWatched),
  );
  gauge("hivegate_telemetry_offset", "Changes of the picture since the start.", () => figures().offset);
  gauge("hivegate_telemetry_agents", "Agents in the picture.", () => figures().agents);
  gauge(
    "hivegate_telemetry_backlog_bytes",
    "What the slowest telemetry reader has not read yet.",
    () => figures().backlogBytes,
  );

  new Gauge({
    name: "hivegate_circuit_state",
    help: "Circuit breakers: 0 closed, 1 half open, 2 open.",
    labelNames: ["dependency"],
    registers,
    collect() {
      // What is not configured any more has none.
      this.reset();
      for (const [dependency, { state }] of sources.circuits())
        this.set({ dependency }, CIRCUIT_LEVELS[state]);
    },
  });
  new Gauge({
    name: "hivegate_mcp_stale_seconds",
    help: "How old what is known from a server is; 0: as fresh as it gets, or never known.",
    labelNames: ["server"],
    registers,
    collect() {
      this.reset();
      for (const { server, stale_since } of sources.servers())
        this.set({ server }, stale_since === null ? 0 : Math.max(0, sources.now() - stale_since) / 1000);
    },
  });
  new Counter({
    name: "hivegate_refused_requests_total",
    help: "Requests that were not let in, by reason.",
    labelNames: ["reason"],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(sources.refusals)) this.inc({ reason }, count);
    },
  });
  new Counter({
    name: "hivegate_telemetry_readers_cut_off_total",
    help: "Telemetry readers that read too slowly.",
    registers,
    collect() {
      this.reset();
      this.inc(figures().cutOff);
    },
  });
}
