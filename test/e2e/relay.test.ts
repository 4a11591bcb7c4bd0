/** The relay from client to orchestrator: gateway on each host, real sidecar, demo swarm. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { type Client, type ConnectOptions, connect } from "../contract/client.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { type System, startSystem } from "../support/system.ts";

let system: System;
let deno: RunningGateway;
const clients: Client[] = [];

beforeAll(async () => {
  system = await startSystem({ demo: { faults: true } });
  deno = await startDenoGateway({ sidecarUrl: system.sidecar.url, keys: system.keys });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await deno.kill("SIGKILL");
  await system.stop();
});

const call = (id: unknown, ms: number) => ({
  ...{ jsonrpc: "2.0", id, method: "tools/call" },
  params: { name: "demo_fault", arguments: { fault: "none", ms } },
});
const saidFor = (client: Client, id: unknown) =>
  client.until(`answer ${id}`, () => client.rpc.find((said) => Object(said).id === id));
const hashOf = (data: Uint8Array | string) => createHash("sha256").update(data).digest("hex");

describe.each(["workerd", "deno"])("the whole relay, on %s", (host) => {
  const gateway = () => (host === "deno" ? deno : system.gateway);
  const join = async (query: ConnectOptions["query"] = {}) => {
    const client = await connect(gateway().url, { token: await gateway().token(), kind: "relay", query });
    clients.push(client);
    return client;
  };

  it("R1 R3 gives each of a hundred clients with equal ids its own answers", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => join()));
    for (const [i, client] of all.entries()) {
      client.send(call(1, i));
      client.send(call("1", 1_000 + i));
    }
    for (const [i, client] of all.entries()) {
      expect(JSON.stringify(await saidFor(client, 1))).toContain(`\\"ms\\":${i}`);
      expect(JSON.stringify(await saidFor(client, "1"))).toContain(`\\"ms\\":${1_000 + i}`);
      expect(client.seen).toContainEqual(expect.objectContaining({ type: "orchestrator_connected" }));
    }
    for (const client of all) client.close();
  });

  it("R1 R3 brings a megabyte through a connection of its own, and back, as it was", async () => {
    const client = await join({ mode: "dedicated" });
    const frames = [randomBytes(1024 * 1024), "text", new Uint8Array([0]), randomBytes(1024 * 1024)];
    for (const frame of frames) client.sendRaw(frame);
    await client.until("all", () => (client.raw.length === frames.length ? true : undefined));
    expect(client.raw.map(hashOf)).toEqual(frames.map(hashOf));
  });

  it("R4 R6 answers every request though the sidecar is killed, and goes on with the next one", async () => {
    const silent = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(silent, "listening");
    const address = silent.address();
    const port = typeof address === "object" && address ? address.port : 0;
    // Clients of other gateways may bring the sidecar there before ours.
    const asked = once(silent, "connection").then(([socket]) => once(socket, "message"));
    const moved = await fetch(`${gateway().url}/v1/hives/default/relay/orchestrators`, {
      ...{ method: "PUT", body: JSON.stringify({ urls: [`ws://127.0.0.1:${port}/ws`] }) },
      headers: { authorization: `Bearer ${await gateway().token()}` },
    });
    expect(moved.status).toBe(200);

    const client = await join();
    for (const id of [1, "1", 2]) client.send(call(id, 7));
    await asked;
    await system.sidecar.kill("SIGKILL");
    silent.close();
    await client.next("orchestrator_disconnected", ({ state }) => state === "interrupted");
    client.send(call(3, 33));
    await system.restartSidecar();
    for (const id of [1, "1", 2]) {
      const answer = await saidFor(client, id);
      expect(answer).toMatchObject({ error: { data: { code: "sidecar_unreachable" } } });
    }
    expect(JSON.stringify(await saidFor(client, 3))).toContain('\\"ms\\":33');
    client.send(call(4, 44));
    expect(JSON.stringify(await saidFor(client, 4))).toContain('\\"ms\\":44');
    expect(client.rpc.filter((said) => "id" in Object(said))).toHaveLength(5);
  });
});
