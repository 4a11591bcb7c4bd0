/** What a Hive lives in: stores for its breaker and its records, and feeds to the shards of the same process. */

import { sealWith } from "../../../shared/audit/chain.ts";
import { platformClock } from "../../../shared/clock.ts";
import type { Gateway } from "../../gateway.ts";
import type { FeedMessage } from "../../hive/feed.ts";
import { Hive, type ShardSocket } from "../../hive/hive.ts";
import { HiveRecords } from "../../hive/records.ts";
import { log } from "../../log.ts";
import { hmac, sha256Hex } from "../digests.ts";

import { FeedEnd } from "./feed-pair.ts";
import type { Store } from "./store.ts";

export class HiveObject {
  readonly #hive: Hive;
  readonly #openRecords: () => HiveRecords;
  #records: HiveRecords | null = null;

  constructor(hive: string, gateway: Gateway, store: Store) {
    const sidecar = gateway.sidecar(hive);
    const breaker = `breaker:sidecar/${hive}`;
    this.#hive = new Hive({
      clock: platformClock,
      random: Math.random,
      uuid: () => crypto.randomUUID(),
      telemetry: (request, signal) => sidecar.telemetry(request, signal),
      demand: (reader, intervalMs) => sidecar.demand(reader, intervalMs),
      store: {
        load: () => store.load(breaker),
        save(state) {
          try {
            store.save(breaker, state);
          } catch (error) {
            // The breaker works as well without: only a restart would find an older state.
            log("breaker not saved", error);
          }
        },
      },
      log,
    });
    this.#openRecords = () =>
      new HiveRecords({
        ...{ hive, sql: store.ofHive(hive), sha256: sha256Hex, seal: sealWith(hmac, gateway.hive(hive)) },
        now: () => Date.now(),
        log,
      });
  }

  samples(): Map<string, number> {
    return new Map([...this.#hive.samples(), ...this.records.samples()]);
  }

  /** Opened when first asked for. @throws when the database cannot be used */
  get records(): HiveRecords {
    this.#records ??= this.#openRecords();
    return this.#records;
  }

  /** Opens a feed to a shard, and gives it its end. */
  dial(shard: string, accept: (feed: FeedEnd<string, FeedMessage>) => void): void {
    const [own, theirs] = FeedEnd.pair<FeedMessage, string>();
    const socket: ShardSocket = { send: ({ message }) => own.send(message), close: () => own.close() };
    own.listen({
      received: (text) => this.#hive.shardReceived(shard, text),
      closed: () => this.#hive.shardClosed(shard, socket),
    });
    this.#hive.shardConnected(shard, socket);
    accept(theirs);
  }
}
