import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

/** More than one shard takes. */
const CLIENTS = LIMITS.sessionsPerShard + 100;
const AT_ONCE = 50;

let system: System;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(() => system.stop());

async function connect(): Promise<SocketClient> {
  const { url, token } = system.gateway;
  return connectSocket(url, "/v1/hives/default/stream", await token());
}

describe(`${CLIENTS} clients`, () => {
  it("H9 S6 take as many shards as they need, and one telemetry stream", async () => {
    const clients: SocketClient[] = [];
    while (clients.length < CLIENTS) {
      clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, connect))));
    }
    const welcomes = await Promise.all(clients.map((client) => client.next("welcome")));
    expect(new Set(welcomes.map(({ client_id }) => client_id)).size).toBe(CLIENTS);
    for (const client of clients) await client.next("snapshot");

    const relay = await connectSocket(
      system.gateway.url,
      "/v1/hives/default/relay",
      await system.gateway.token(),
    );
    relay.send({ type: "create_task", task: "count primes below 1000" });
    const { taskId } = await relay.next("task_created");
    const isTold = ({ payload }: { payload: { tasks?: { taskId: string }[] | undefined } }) =>
      (payload.tasks ?? []).some((task) => task.taskId === taskId);
    await Promise.all(clients.map((client) => client.next("agent_update", isTold, 30_000)));

    const streams = system.sidecar.output().match(/"path":"\/v1\/telemetry"/g) ?? [];
    expect(streams).toHaveLength(1);
    relay.close();
    for (const client of clients) client.close();
  });
});
