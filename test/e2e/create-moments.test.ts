/**
 * Creates by every kind of client at once, and in the midst of them, at a random moment, the loss of a part or of a
 * connection. MOMENTS_SEED runs the same again, as far as a machine does.
 */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { mayRetry } from "../../shared/client/client-errors.ts";
import { newIdempotencyKey } from "../../shared/client/create-task.ts";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import { Random } from "../simulation/random.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { processesFor } from "../support/left-over.ts";
import { startWalkedSystem, type WalkedSystem } from "../support/walked-system.ts";

const WITHIN_MS = 30_000;
/** A create begins within the first, and the loss comes within the second: a create takes some 100 ms. */
const BEGIN_MS = 100;
const LOSS_MS = 400;

const seed = Number(process.env.MOMENTS_SEED) || randomInt(1, 2 ** 31);
const random = new Random(seed);

const LOSSES: { what: string; lose(system: WalkedSystem): Promise<void> }[] = [
  { what: "the gateway", lose: (system) => system.replace("gateway") },
  { what: "the sidecar", lose: (system) => system.replace("sidecar") },
  { what: "clients' connections", lose: async (system) => system.toGateway.cut() },
  { what: "the gateway's connections", lose: async (system) => system.toSidecar.cut() },
];

type Creator = (request: { task: string; idempotencyKey: string }) => Promise<string>;

/** Goes on under the same key when even the library has given up, as its user would on a very slow machine. */
async function insist(create: Creator, task: string): Promise<string> {
  const idempotencyKey = newIdempotencyKey();
  for (;;) {
    try {
      return await create({ task, idempotencyKey });
    } catch (thrown) {
      if (!mayRetry(thrown)) throw thrown;
      await sleep(100);
    }
  }
}

describe.each([
  { host: "workerd", start: startGateway },
  { host: "deno", start: startDenoGateway },
])(`creates through $host, with seed ${seed}`, ({ start }) => {
  let system: WalkedSystem;
  let client: HivegateClient;
  let streams: HivegateStream[];
  let creators: Creator[];

  beforeAll(async () => {
    system = await startWalkedSystem(start);
    client = new HivegateClient(system.access);
    streams = [new HivegateStream(system.access), new HivegateStream(system.access)];
    const byRest: Creator = async (request) => (await client.createTask(request)).task.taskId;
    const bySocket = streams.map(
      (stream): Creator =>
        async (request) =>
          (await stream.createTask(request)).taskId,
    );
    creators = [byRest, ...bySocket, byRest, byRest];
  });
  afterAll(async () => {
    for (const stream of streams) stream.close();
    await system.stop();
  });

  it.each(LOSSES)(
    "H9 Q2 $what lost: each runs once, and its client learns its id and its end",
    async ({ what, lose }) => {
      const lost = sleep(random.between(0, LOSS_MS)).then(() => lose(system));
      const ended = creators.map(async (create, i) => {
        const text = `${what}, client ${i}`;
        await sleep(random.between(0, BEGIN_MS));
        const taskId = await insist(create, text);
        await lost;
        await expectItsEnd(taskId, text);
      });
      await Promise.all([lost, ...ended]);
    },
  );

  /** After one run; or lost, where nobody can say whether its process had begun when the sidecar died. */
  async function expectItsEnd(taskId: string, text: string): Promise<void> {
    for await (const event of client.events(taskId)) void event;
    const { state } = await client.task(taskId);
    expect([state, system.swarm.runs(text)]).toEqual(state === "lost" ? ["lost", 0] : ["completed", 1]);
    expect((await client.tasks()).filter(({ task }) => task === text)).toHaveLength(1);
    await vi.waitFor(() => expect(processesFor(taskId)).toEqual([]), { timeout: WITHIN_MS });
  }
});
