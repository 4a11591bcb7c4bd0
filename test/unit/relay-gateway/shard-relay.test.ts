import { expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { series } from "../../../worker/metrics.ts";
import { DEFAULT_RELAY } from "../../../worker/relay/settings.ts";
import { Shard } from "../../../worker/session/shard.ts";
import { SidecarClient } from "../../../worker/sidecar-client.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { NO_FILTERS } from "../worker/shard-setup.ts";

function setUp() {
  const clock = new ManualClock();
  const refuse = () => Promise.reject(new Error("nobody is asked"));
  const shard = new Shard({
    ...{ hive: "default", clock, uuid: () => crypto.randomUUID(), deflate: () => new Uint8Array() },
    ...{ verify: refuse, requestFeed: () => {}, wakeAt: () => {}, log: () => {} },
    sidecar: new SidecarClient({
      ...{ hive: "default", url: "http://sidecar", key: { kid: "k", mac: () => new Uint8Array(32) } },
      ...{ fetch: refuse, sha256: () => new Uint8Array(32), clock, nonce: () => "nonce-0123456789" },
    }),
    relay: {
      ...{ random: () => 0.5, settings: DEFAULT_RELAY, soon: queueMicrotask, audit: () => {} },
      dial: () => new Promise(() => {}),
    },
  });
  /** A client that reads nothing. */
  const connect = (expiresMs: number) => {
    const client = { closed: [] as number[], sentBytes: 0 };
    const socket = {
      send(data: string | Uint8Array) {
        client.sentBytes += data.length;
      },
      close: (code: number) => void client.closed.push(code),
      ...{ save: () => {}, backlogBytes: () => client.sentBytes, heartbeatMs: () => null },
    };
    shard.connect(socket, {
      ...{ kind: "relay", dialect: "hivegate", mode: "normal", encoding: "json", position: null },
      relay: { mode: "shared", notices: false, acks: false },
      identity: { subject: "s", permissions: ["relay:read"], scope: {}, expiresMs },
      filters: NO_FILTERS,
    });
    return { client, say: (data: string) => shard.receive(socket, data) };
  };
  return { clock, shard, connect };
}

const sessions = (shard: Shard) => shard.relaySamples().get(series("relay_sessions", { mode: "shared" }));

it("S6 R2 keeps nothing on the relay of a client whose session ends as it begins", () => {
  const { clock, shard, connect } = setUp();
  expect(connect(clock.now()).client.closed).toEqual([4503]);
  expect(sessions(shard)).toBe(0);
  connect(clock.now() + 1_000);
  expect(sessions(shard)).toBe(1);
});

it("S6 R4 ends a client that reads none of the errors that it is sent", () => {
  const { clock, connect } = setUp();
  const { client, say } = connect(Number.MAX_SAFE_INTEGER);
  const batch = JSON.stringify(
    Array.from({ length: LIMITS.relayBatchParts }, (_, id) => ({ jsonrpc: "2.0", id, method: "forbidden" })),
  );
  for (let i = 0; i < 3_000 && client.closed.length === 0; i++) {
    say(batch);
    clock.advance(200);
  }
  expect(client.closed).toEqual([4003]);
  expect(client.sentBytes).toBeLessThan(9 * 1024 * 1024);
});
