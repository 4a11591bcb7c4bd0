/** The Durable Object that a Hive lives in. It dials its shards, so that they stay servers and hibernate. */

import { DurableObject } from "cloudflare:workers";
import { sealWith } from "../../../shared/audit/chain.ts";
import { platformClock } from "../../../shared/clock.ts";
import { Hive, type ShardSocket } from "../../hive/hive.ts";
import { type AuditPage, HiveRecords } from "../../hive/records.ts";
import type { Sql } from "../../hive/sql.ts";
import type { StatsReport } from "../../hive/tool-figures.ts";
import { log } from "../../log.ts";
import type { EventBatch } from "../../mcp/events.ts";
import { hmac, sha256Hex } from "../digests.ts";
import { type Env, gatewayOf } from "./env.ts";

const BREAKER = "breaker:sidecar";

export class HiveObject extends DurableObject<Env> {
  #hive: Hive | null = null;
  #records: HiveRecords | null = null;

  /** Opens a feed to a shard. `shard` is the id of its object. */
  async dial(hive: string, shard: string): Promise<void> {
    const object = this.env.SHARD.get(this.env.SHARD.idFromString(shard));
    const response = await object.fetch(`http://shard/feed/${hive}`, { headers: { upgrade: "websocket" } });
    const socket = response.webSocket;
    if (!socket) throw new Error(`shard answered ${response.status} to the feed`);
    const owner = this.#hiveOf(hive);
    const feed: ShardSocket = {
      send(news) {
        try {
          socket.send(news.text);
        } catch {
          // Closed, but its event has not come yet.
          owner.shardClosed(shard, feed);
        }
      },
      close: () => socket.close(1000, "replaced"),
    };
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") owner.shardReceived(shard, data);
    });
    socket.addEventListener("close", () => owner.shardClosed(shard, feed));
    socket.addEventListener("error", () => owner.shardClosed(shard, feed));
    owner.shardConnected(shard, feed);
    socket.accept();
  }

  samples(hive: string): Map<string, number> {
    return new Map([...this.#hiveOf(hive).samples(), ...this.#recordsOf(hive).samples()]);
  }

  record(hive: string, batch: EventBatch): void {
    this.#recordsOf(hive).record(batch);
  }

  audit(hive: string, after: number, limit: number): AuditPage {
    return this.#recordsOf(hive).audit(after, limit);
  }

  toolStats(hive: string): StatsReport {
    return this.#recordsOf(hive).stats();
  }

  #recordsOf(hive: string): HiveRecords {
    const { storage } = this.ctx;
    const sql: Sql = {
      exec: (query, ...bindings) => storage.sql.exec(query, ...bindings).toArray(),
      transaction: (work) => storage.transactionSync(work),
    };
    this.#records ??= new HiveRecords({
      ...{ hive, sql, sha256: sha256Hex, seal: sealWith(hmac, gatewayOf(this.env).hive(hive)) },
      now: () => Date.now(),
      log,
    });
    return this.#records;
  }

  #hiveOf(hive: string): Hive {
    const { kv } = this.ctx.storage;
    const sidecar = gatewayOf(this.env).sidecar(hive);
    this.#hive ??= new Hive({
      clock: platformClock,
      random: Math.random,
      uuid: () => crypto.randomUUID(),
      telemetry: (request, signal) => sidecar.telemetry(request, signal),
      demand: (reader, intervalMs) => sidecar.demand(reader, intervalMs),
      store: { load: () => kv.get(BREAKER), save: (state) => kv.put(BREAKER, state) },
      log,
    });
    return this.#hive;
  }
}
