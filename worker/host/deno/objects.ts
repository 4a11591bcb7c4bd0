/** The hives and shards of this process by name, as Cloudflare has them by namespace: made when first asked for. */
import { HivegateError } from "../../../shared/errors.ts";
import type { OpenSession } from "../../app.ts";
import type { Gateway } from "../../gateway.ts";
import type { HiveRecords } from "../../hive/records.ts";
import { metricsText } from "../../metrics.ts";
import { Placement, relayShards } from "../../session/placement.ts";
import { HiveObject } from "./hive-object.ts";
import { ShardObject } from "./shard-object.ts";
import type { Store } from "./store.ts";

export class Objects {
  readonly #gateway: Gateway;
  readonly #store: Store;
  readonly #hives = new Map<string, HiveObject>();
  readonly #shards = new Map<string, ShardObject>();
  readonly #placement = new Placement();
  #isStopping = false;

  constructor(gateway: Gateway, store: Store) {
    this.#gateway = gateway;
    this.#store = store;
  }

  /** Gives a client's open socket to a shard that takes it. @throws HivegateError `overloaded`, `shutting_down` */
  connect(socket: WebSocket, { hive, protocol: _, ...hello }: OpenSession): void {
    if (this.#isStopping) throw new HivegateError("shutting_down");
    const nowMs = Date.now();
    for (const name of this.#placement.candidates({ hive, kind: hello.kind }, nowMs)) {
      const shard = this.#shard(hive, name);
      const refusal = shard.refusal(hello.identity.subject);
      if (!refusal) {
        shard.connect(socket, hello);
        return;
      }
      if (refusal !== "full") break;
      this.#placement.isFull(name, nowMs);
    }
    throw new HivegateError("overloaded");
  }

  /** Sends all clients away, and takes no more. Resolves when the last one has gone. */
  async shutDown(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#shards.values()].map((shard) => shard.shutDown()));
  }

  /** @throws when the hive's database cannot be used */
  records(hive: string): HiveRecords {
    return this.#hive(hive).records;
  }

  metrics(hive: string): string {
    const relayed = relayShards(hive).flatMap((name) => {
      const shard = this.#shards.get(name);
      return shard ? [[name, shard.relaySamples()] as const] : [];
    });
    return metricsText(this.#hive(hive).samples(), new Map(relayed), hive);
  }

  #shard(hive: string, name: string): ShardObject {
    const known = this.#shards.get(name);
    if (known) return known;
    const shard: ShardObject = new ShardObject({
      hive,
      gateway: this.#gateway,
      dial: () => this.#hive(hive).dial(name, (feed) => shard.acceptFeed(feed)),
      // What it holds can be had from its hive again.
      deserted: () => this.#shards.delete(name),
    });
    this.#shards.set(name, shard);
    return shard;
  }

  #hive(name: string): HiveObject {
    const hive = this.#hives.get(name) ?? new HiveObject(name, this.#gateway, this.#store);
    this.#hives.set(name, hive);
    return hive;
  }
}
