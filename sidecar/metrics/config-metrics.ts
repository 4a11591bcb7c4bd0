import { Counter, Gauge, type Registry } from "prom-client";
import { ALERT_KINDS, type AlertKind } from "../alerts.ts";
import type { Configs } from "../config/configs.ts";
import type { Rollout } from "../config/rollout/rollout.ts";

/** All kinds are there from the start, so that the first alert of one is an increase. */
export function countAlerts(registry: Registry): (kind: AlertKind) => void {
  const counter = new Counter({
    name: "hivegate_alerts_total",
    help: "Alerts that were raised, by kind.",
    labelNames: ["kind"],
    registers: [registry],
  });
  for (const kind of ALERT_KINDS) counter.inc({ kind }, 0);
  return (kind) => counter.inc({ kind });
}

export type ConfigSources = { configs: Pick<Configs, "status">; rollout: Pick<Rollout, "status" | "reads"> };

/** What cannot be read does not take all other metrics along. */
function orNothing<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

const orUnknown = (read: () => number): number => orNothing(read) ?? Number.NaN;

/** Read when somebody asks for the metrics. */
export function watchConfigs(registry: Registry, { configs, rollout }: ConfigSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(orUnknown(read));
      },
    });
  gauge(
    "hivegate_config_revision",
    "The last change of the MCP servers' configuration.",
    () => configs.status.revision,
  );
  gauge(
    "hivegate_config_servers",
    "MCP servers that are configured, enabled or not.",
    () => configs.status.servers,
  );
  gauge(
    "hivegate_config_refused",
    "Whether what the configuration says last could not be taken over: 1 or 0.",
    () => Number(configs.status.last_error !== null),
  );
  watchRollout(registry, rollout);
}

/** How configurations move over from an older system; without one all clients are on the newer path. */
function watchRollout(registry: Registry, rollout: ConfigSources["rollout"]): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (status: Rollout["status"]) => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(orUnknown(() => read(rollout.status)));
      },
    });
  gauge(
    "hivegate_config_rollout_percent",
    "Of the clients, how many read the newer system.",
    ({ percent }) => percent,
  );
  gauge(
    "hivegate_config_rollout_backed_out",
    "Whether the rollout was backed out: 1 or 0.",
    ({ backed_out }) => Number(backed_out !== null),
  );
  gauge(
    "hivegate_config_old_database_behind",
    "Servers whose last change the older database does not have yet.",
    ({ old_database }) => old_database?.behind ?? 0,
  );
  new Counter({
    name: "hivegate_config_reads_total",
    help: "Reads of configurations, by path (old or new), operation and outcome (ok or failed).",
    labelNames: ["path", "operation", "outcome"],
    registers,
    collect() {
      this.reset();
      for (const { count, ...labels } of rollout.reads) this.inc(labels, count);
    },
  });
  new Gauge({
    name: "hivegate_config_read_seconds",
    help: "How long reads of the last minutes took, by path, operation and quantile.",
    labelNames: ["path", "operation", "quantile"],
    registers,
    collect() {
      this.reset();
      for (const { operation, ...paths } of orNothing(() => rollout.status)?.operations ?? [])
        for (const path of ["old", "new"] as const) {
          const { p50_ms, p95_ms } = paths[path];
          if (p50_ms !== null) this.set({ path, operation, quantile: "0.5" }, p50_ms / 1_000);
          if (p95_ms !== null) this.set({ path, operation, quantile: "0.95" }, p95_ms / 1_000);
        }
    },
  });
  new Counter({
    name: "hivegate_config_comparisons_total",
    help: "Reads that were made on both paths, by outcome: same or different.",
    labelNames: ["outcome"],
    registers,
    collect() {
      this.reset();
      const compared = orNothing(() => rollout.status.compared);
      if (!compared) return;
      const { reads, differences } = compared;
      this.inc({ outcome: "same" }, reads - differences);
      this.inc({ outcome: "different" }, differences);
    },
  });
}
