/** The object that a Hive lives in, as the hosts do it: it dials its shards, and loses its memory at any moment. */
import type { Clock } from "../../shared/clock.ts";
import { Hive, type ShardSocket } from "../../worker/hive/hive.ts";
import { SidecarClient } from "../../worker/sidecar-client.ts";
import type { Net } from "./net.ts";
import { OwnClock } from "./own-clock.ts";
import type { Random } from "./random.ts";
import type { ShardHost } from "./shard-host.ts";
import { sidecarFetch } from "./sidecar-fetch.ts";
import type { SidecarHost } from "./sidecar-host.ts";
import type { Wire } from "./wire.ts";

export type HiveHostPorts = {
  clock: Clock;
  random: Random;
  net: Net;
  sidecar: SidecarHost;
  log(message: string, error: unknown): void;
};

/** One life of the object's memory. */
type Life = { hive: Hive; clock: OwnClock; wires: Set<Wire> };

export class HiveHost {
  readonly #ports: HiveHostPorts;
  #life: Life | null = null;
  #stored: unknown = null;
  /** Remote calls to it fail. */
  isAway = false;

  constructor(ports: HiveHostPorts) {
    this.#ports = ports;
  }

  get timers(): number {
    return this.#life?.clock.waiting ?? 0;
  }

  /** A shard asks for its feed: a remote call, the dial, and its answer, each of which takes its time. */
  dial(shard: ShardHost): void {
    const { clock, net } = this.#ports;
    clock.after(net.delayMs(), () => {
      if (this.isAway) return;
      const life = this.#lifeNow();
      const wire = net.connect(`feed ${shard.name}`);
      life.wires.add(wire);
      clock.after(net.delayMs(), () => {
        if (this.#life !== life || wire.isBroken) {
          wire.abandon();
          return;
        }
        shard.acceptFeed(wire.far);
        clock.after(net.delayMs(), () => this.#connected(life, shard.name, wire));
      });
    });
  }

  /** All its connections break, and nothing of it remains but what it stored. */
  lose(): void {
    const life = this.#life;
    if (!life) return;
    this.#life = null;
    life.clock.end();
    for (const wire of life.wires) {
      wire.near.abandon();
      wire.break(0, this.#ports.random.pauseMs(20_000));
    }
  }

  #connected(life: Life, shard: string, wire: Wire): void {
    if (this.#life !== life) return;
    const { near } = wire;
    const { hive } = life;
    const feed: ShardSocket = {
      send(news) {
        if (near.isOpen) near.send(news.text);
        else hive.shardClosed(shard, feed);
      },
      close: () => near.close(1000, "replaced"),
    };
    hive.shardConnected(shard, feed);
    near.listen({
      message: (data) => hive.shardReceived(shard, String(data)),
      closed: () => {
        life.wires.delete(wire);
        hive.shardClosed(shard, feed);
      },
    });
  }

  #lifeNow(): Life {
    if (this.#life) return this.#life;
    const { random, net, sidecar, log } = this.#ports;
    const clock = new OwnClock(this.#ports.clock);
    const wires = new Set<Wire>();
    const client = new SidecarClient({
      ...{ hive: "default", url: "http://sidecar", clock, nonce: () => random.uuid() },
      ...{ key: { kid: "k", mac: () => NO_HASH }, sha256: () => NO_HASH },
      fetch: sidecarFetch({ clock, net, sidecar, wires }),
    });
    const hive = new Hive({
      ...{ clock, log, random: random.next, uuid: () => random.uuid() },
      telemetry: (request, signal) => client.telemetry(request, signal),
      demand: (reader, intervalMs) => client.demand(reader, intervalMs),
      store: {
        load: () => this.#stored,
        save: (state) => {
          this.#stored = JSON.parse(JSON.stringify(state));
        },
      },
    });
    this.#life = { hive, clock, wires };
    return this.#life;
  }
}

const NO_HASH = new Uint8Array(32);
