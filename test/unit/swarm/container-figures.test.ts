import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContainerFigures } from "../../../shared/protocol/sidecar.ts";
import { DockerStats, figuresOf, isNews } from "../../../sidecar/swarm/docker/container-figures.ts";

/** A line as Docker 20.10 sends it under cgroup 1, without what is not read. */
const LINE = {
  read: "2026-11-21T15:23:14.557379263Z",
  preread: "2026-11-21T15:23:13.552519033Z",
  pids_stats: { current: 7 },
  cpu_stats: {
    cpu_usage: { total_usage: 299_074_317 },
    system_cpu_usage: 28_796_320_000_000,
    online_cpus: 2,
  },
  precpu_stats: {
    cpu_usage: { total_usage: 35_090_013 },
    system_cpu_usage: 28_794_320_000_000,
    online_cpus: 2,
  },
  memory_stats: {
    usage: 110_333_952,
    limit: 25_276_502_016,
    stats: { cache: 100_134_912, inactive_file: 100_134_912, total_inactive_file: 100_134_912 },
  },
  networks: { eth0: { rx_bytes: 486, tx_bytes: 3 }, eth1: { rx_bytes: 14, tx_bytes: 0 } },
};

const figures = (change: object = {}) => figuresOf(DockerStats.parse({ ...LINE, ...change }), "swarm");

describe("what Docker's statistics say of a container", () => {
  it("S2 is worked out as Docker's own CLI does", () => {
    expect(figures()).toEqual({
      container: "swarm",
      // 0.264 s of two cores' 2 s.
      cpu_usage: expect.closeTo(26.4, 1),
      memory_bytes: 10_199_040,
      memory_limit_bytes: 25_276_502_016,
      network_received_bytes: 500,
      network_sent_bytes: 3,
      processes: 7,
      timestamp: 1_795_274_594_557,
    });
    expect(ContainerFigures.parse(figures())).toEqual(figures());
  });

  it("S2 in its first line nothing is known of the CPU", () => {
    const precpu_stats = { cpu_usage: { total_usage: 0 } };
    expect(figures({ precpu_stats })?.cpu_usage).toBeNull();
  });

  it.each([
    ["cgroup 1", { total_inactive_file: 40, inactive_file: 7 }, 60],
    ["cgroup 2", { inactive_file: 30 }, 70],
    ["neither", {}, 100],
    ["more cached than used", { inactive_file: 200 }, 100],
  ])("S2 memory is what is used without the cache: %s", (_what, stats, bytes) => {
    expect(figures({ memory_stats: { usage: 100, limit: 1_000, stats } })?.memory_bytes).toBe(bytes);
  });

  it("S2 what is not measured is null", () => {
    const bare = {
      memory_stats: {},
      networks: undefined,
      pids_stats: {},
      cpu_stats: { cpu_usage: { total_usage: 1 } },
    };
    expect(figures(bare)).toMatchObject({
      ...{ cpu_usage: null, memory_bytes: null, memory_limit_bytes: null, processes: null },
      ...{ network_received_bytes: null, network_sent_bytes: null },
    });
  });

  it("S4 of a container that does not run there are no figures, not zeros", () => {
    expect(figures({ read: "0001-01-01T00:00:00Z" })).toBeNull();
  });

  it("S6 is never negative, not a number or infinite, whatever the counters are", () => {
    const counter = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const cpu = fc.record({
      cpu_usage: fc.record({ total_usage: counter }),
      system_cpu_usage: fc.option(counter, { nil: undefined }),
      online_cpus: fc.option(fc.nat(512), { nil: undefined }),
    });
    fc.assert(
      fc.property(cpu, cpu, (cpu_stats, precpu_stats) => {
        const usage = figures({ cpu_stats, precpu_stats })?.cpu_usage ?? 0;
        expect(usage).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(usage)).toBe(true);
      }),
    );
  });
});

describe("whether a container's figures are news", () => {
  const known = ContainerFigures.parse(figures());

  it.each<[string, Partial<ContainerFigures>, boolean]>([
    ["only the time has gone on", { timestamp: known.timestamp + 1_000 }, false],
    ["the CPU trembles", { cpu_usage: (known.cpu_usage ?? 0) + 0.9 }, false],
    ["the CPU works", { cpu_usage: (known.cpu_usage ?? 0) + 1.1 }, true],
    ["the CPU is no longer known", { cpu_usage: null }, true],
    ["memory trembles", { memory_bytes: 10_300_000 }, false],
    ["memory grows", { memory_bytes: 10_500_000 }, true],
    ["a stray packet was received", { network_received_bytes: 600 }, false],
    ["something was received", { network_received_bytes: 5_000 }, true],
    ["something was sent", { network_sent_bytes: 5_000 }, true],
    ["a process started", { processes: 8 }, true],
    ["the limit was changed", { memory_limit_bytes: 1 }, true],
  ])("Q1 when %s (P6)", (_what, change, expected) => {
    expect(isNews(known, { ...known, ...change })).toBe(expected);
  });

  it("S4 that it went or came is, that it is still away is not", () => {
    expect(isNews(known, null)).toBe(true);
    expect(isNews(null, known)).toBe(true);
    expect(isNews(null, null)).toBe(false);
  });
});
