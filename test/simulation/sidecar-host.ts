/**
 * A sidecar's machine: the real telemetry hub, sources that tell of the simulated swarm as often as they are
 * asked to, and HTTP over simulated connections.
 */
import type { Clock } from "../../shared/clock.ts";
import { asHivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ConfigChanged } from "../../shared/protocol/config.ts";
import { Demand, TelemetryQuery, TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";
import { TelemetryHub } from "../../sidecar/telemetry/hub.ts";
import type { Net } from "./net.ts";
import { OwnClock } from "./own-clock.ts";
import type { Random } from "./random.ts";
import { Source } from "./source.ts";
import type { Pool, Swarm } from "./swarm.ts";
import type { End } from "./wire.ts";

export type SidecarPorts = {
  clock: Clock;
  random: Random;
  net: Net;
  swarm: Swarm;
  /** Whether it tells of the MCP servers' configuration. */
  hasConfigs: boolean;
};

/** One run of the sidecar's process. */
type Life = {
  hub: TelemetryHub;
  clock: OwnClock;
  /** By pool. */
  sources: Map<string, Source>;
  tellConfig: (change: ConfigChanged) => void;
};

/** What no scoped viewer may read. */
export const CONFIGURED_SERVER = "a-server-of-the-whole-hive";
const ALIVE = new TextEncoder().encode('{"type":"alive","timestamp":1}\n');
const QUIET_LOG = { info() {}, warn() {}, error() {}, debug() {} };

export class SidecarHost {
  /** Whether requests get through to it, are refused, or vanish. */
  way: "open" | "refused" | "silent" = "open";
  readonly #ports: SidecarPorts;
  /** It outlives the process. */
  readonly #config = { revision: 1 };
  /** Pools that are not configured now; their servers go on, and nobody asks them. */
  readonly #left = new Set<string>();
  #life: Life | null = null;

  constructor(ports: SidecarPorts) {
    this.#ports = ports;
    this.start();
  }

  get hasConfigs(): boolean {
    return this.#ports.hasConfigs;
  }

  /** Null: none is told of. */
  get configRevision(): number | null {
    return this.hasConfigs ? this.#config.revision : null;
  }

  get isUp(): boolean {
    return this.#life !== null;
  }

  get readers(): number {
    return this.#life?.hub.readers ?? 0;
  }

  start(): void {
    if (this.#life) return;
    const { random, swarm } = this.#ports;
    const clock = new OwnClock(this.#ports.clock);
    const there = swarm.pools.filter((pool) => this.isConfigured(pool));
    const sources = new Map(there.map((pool) => [pool.name, new Source(pool, clock, random)]));
    let tellContainer = () => {};
    const hub = new TelemetryHub({
      ...{ epoch: random.uuid(), log: QUIET_LOG, now: () => clock.now() },
      sources: [...sources.values()],
      tasks: [...swarm.tasks.values()],
      watchContainer: (tell) => {
        tellContainer = () => tell(swarm.container);
        tellContainer();
        return () => {
          tellContainer = () => {};
        };
      },
    });
    swarm.listener = {
      poolChanged: (pool) => sources.get(pool.name)?.changed(),
      containerChanged: () => tellContainer(),
      taskChanged: (task) => hub.taskChanged(task),
    };
    const life: Life = { hub, clock, sources, tellConfig: () => {} };
    if (this.hasConfigs)
      hub.watchConfigs({
        status: this.#config,
        onChange: (listener) => {
          life.tellConfig = listener;
        },
      });
    this.#life = life;
  }

  isConfigured(pool: Pool): boolean {
    return !this.#left.has(pool.name);
  }

  /** Also while it is down: somebody edits the file. A pool comes, or goes. */
  changeConfig(): void {
    const revision = ++this.#config.revision;
    this.#togglePool();
    const lists = { added: [CONFIGURED_SERVER], changed: [], removed: [] };
    this.#life?.tellConfig({ type: "config_changed", revision, timestamp: this.#life.clock.now(), ...lists });
  }

  #togglePool(): void {
    const { swarm, random } = this.#ports;
    const pool = random.pick(swarm.pools);
    if (!pool) return;
    if (!this.#left.delete(pool.name)) this.#left.add(pool.name);
    if (!this.#life) return;
    const { hub, clock, sources } = this.#life;
    if (!sources.delete(pool.name)) sources.set(pool.name, new Source(pool, clock, random));
    hub.sourcesChanged([...sources.values()]);
  }

  /** Its connections break when the machine's kernel closes them, or when nobody answers: see the net. */
  stop(): void {
    const life = this.#life;
    if (!life) return;
    this.#life = null;
    this.#ports.swarm.listener = null;
    life.clock.end();
    life.hub.close();
  }

  /** A request has arrived. The answer is a head, as JSON, and then the body's bytes. */
  accept(end: End): void {
    end.listen({ message: (request) => this.#answer(end, String(request)), closed: () => {} });
  }

  /** Everything that the hub knows. */
  async picture(): Promise<TelemetrySnapshot> {
    if (!this.#life) throw new Error("the sidecar is not up");
    const lines = this.#life.hub.open({ reader: "test", intervalMs: null, position: null }).getReader();
    const { value } = await lines.read();
    await lines.cancel();
    return TelemetrySnapshot.parse(JSON.parse(new TextDecoder().decode(value)));
  }

  #answer(end: End, request: string): void {
    const life = this.#life;
    if (!life) {
      end.close();
      return;
    }
    const { method, path, body } = JSON.parse(request);
    const url = new URL(path, "http://sidecar");
    try {
      if (method === "GET") void this.#stream(end, life, Object.fromEntries(url.searchParams));
      else {
        const reader = url.pathname.split("/").at(-1) ?? "";
        life.hub.demand(reader, Demand.parse(JSON.parse(body)).intervalMs);
        end.send(JSON.stringify({ status: 200 }));
        end.send(new TextEncoder().encode('{"ok":true}'));
        end.close();
      }
    } catch (thrown) {
      const error = asHivegateError(thrown);
      end.send(JSON.stringify({ status: error.httpStatus }));
      end.send(new TextEncoder().encode(JSON.stringify(error.toBody())));
      end.close();
    }
  }

  async #stream(end: End, { hub, clock }: Life, query: Record<string, string>): Promise<void> {
    const { reader, intervalMs = null, epoch, offset, config } = TelemetryQuery.parse(query);
    const position = epoch !== undefined && offset !== undefined ? { epoch, offset } : null;
    const lines = hub.open({ reader, intervalMs, position, config: config === "1" }).getReader();
    let cancelAlive = () => {};
    end.listen({
      message() {},
      closed() {
        cancelAlive();
        void lines.cancel();
      },
    });
    end.send(JSON.stringify({ status: 200 }));
    for (;;) {
      cancelAlive();
      // The hub's own timer is the platform's, for which a simulated minute is too short.
      cancelAlive = clock.after(LIMITS.telemetryKeepAliveMs, function again() {
        if (end.isOpen) end.send(ALIVE);
        cancelAlive = clock.after(LIMITS.telemetryKeepAliveMs, again);
      });
      const { done, value } = await lines.read();
      if (done || !end.isOpen) break;
      for (const piece of this.#pieces(value)) end.send(piece);
    }
    cancelAlive();
    end.close();
  }

  /** A line may come in several pieces, and so be lost half. */
  #pieces(bytes: Uint8Array): Uint8Array[] {
    const { random } = this.#ports;
    if (!random.chance(0.1)) return [bytes];
    const middle = random.between(0, bytes.length);
    return [bytes.subarray(0, middle), bytes.subarray(middle)].filter(({ length }) => length > 0);
  }
}
