/** What Docker's statistics say of a container, as its own CLI works it out. */
import { z } from "zod";
import { Timestamp } from "../../../shared/protocol/ids.ts";
import type { ContainerFigures } from "../../../shared/protocol/sidecar.ts";

const Cpu = z.object({
  cpu_usage: z.object({ total_usage: z.number() }),
  /** Of all cores together; absent where nothing was measured. */
  system_cpu_usage: z.number().optional(),
  online_cpus: z.number().optional(),
});

const Network = z.object({ rx_bytes: z.number(), tx_bytes: z.number() });

/** One line of `GET /containers/{id}/stats`. Where the container does not run, it has the time of year 1. */
export const DockerStats = z.object({
  read: z.string().transform((iso) => Date.parse(iso)),
  cpu_stats: Cpu,
  /** The measurement before; zeros in the first line. */
  precpu_stats: Cpu,
  memory_stats: z
    .object({
      usage: z.number().optional(),
      limit: z.number().optional(),
      stats: z.record(z.string(), z.number()).optional(),
    })
    .default({}),
  networks: z.record(z.string(), Network).optional(),
  pids_stats: z.object({ current: z.number().int().optional() }).default({}),
});
export type DockerStats = z.infer<typeof DockerStats>;

/** Null: the container does not run. */
export function figuresOf(stats: DockerStats, container: string): ContainerFigures | null {
  const timestamp = Timestamp.safeParse(stats.read);
  if (!timestamp.success) return null;
  const networks = stats.networks && Object.values(stats.networks);
  return {
    container,
    cpu_usage: cpuUsage(stats.precpu_stats, stats.cpu_stats),
    memory_bytes: memoryBytes(stats.memory_stats),
    memory_limit_bytes: stats.memory_stats.limit ?? null,
    network_received_bytes: networks ? sum(networks.map(({ rx_bytes }) => rx_bytes)) : null,
    network_sent_bytes: networks ? sum(networks.map(({ tx_bytes }) => tx_bytes)) : null,
    processes: stats.pids_stats.current ?? null,
    timestamp: timestamp.data,
  };
}

/** Percent of one core since the measurement before; null where there was none. */
function cpuUsage(before: z.infer<typeof Cpu>, after: z.infer<typeof Cpu>): number | null {
  if (!before.system_cpu_usage || !after.system_cpu_usage || !after.online_cpus) return null;
  const system = after.system_cpu_usage - before.system_cpu_usage;
  const used = after.cpu_usage.total_usage - before.cpu_usage.total_usage;
  return system > 0 && used >= 0 ? (used / system) * after.online_cpus * 100 : null;
}

/** Without what the kernel merely caches of files: `total_inactive_file` in cgroup 1, `inactive_file` in cgroup 2. */
function memoryBytes({ usage, stats }: DockerStats["memory_stats"]): number | null {
  if (usage === undefined) return null;
  const cached = stats?.total_inactive_file ?? stats?.inactive_file ?? 0;
  return cached < usage ? usage - cached : usage;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** How far a figure may move without being worth telling: an idle container is never quite still. */
const CPU_POINTS = 1;
const SHARE = 0.02;
/** What a bridge sends round to everybody now and then. */
const STRAY_BYTES = 4_096;

/** Whether `after` shows something that `before` did not. */
export function isNews(before: ContainerFigures | null, after: ContainerFigures | null): boolean {
  if (!before || !after) return before !== after;
  return (
    before.processes !== after.processes ||
    before.memory_limit_bytes !== after.memory_limit_bytes ||
    differs(before.cpu_usage, after.cpu_usage, () => CPU_POINTS) ||
    differs(before.memory_bytes, after.memory_bytes, (bytes) => bytes * SHARE) ||
    differs(before.network_received_bytes, after.network_received_bytes, worthTelling) ||
    differs(before.network_sent_bytes, after.network_sent_bytes, worthTelling)
  );
}

const worthTelling = (bytes: number): number => Math.max(STRAY_BYTES, bytes * SHARE);

function differs(before: number | null, after: number | null, by: (before: number) => number): boolean {
  if (before === null || after === null) return before !== after;
  return Math.abs(after - before) > by(before);
}
