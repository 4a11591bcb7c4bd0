/**
 * What those who use a server notice of its change: official clients of both eras at the gateway under workerd, our own
 * client, calls under way in each way there is. The demo swarm and another server are beside it, and stay as they are.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigDifference } from "../../shared/protocol/config.ts";
import { type ConfigChain, type FileServers, namesOf, startConfigChain } from "../support/config-chain.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { ChainClient, countsOf, Load } from "../support/mcp-chain.ts";
import { type McpClient, mcpClient, textOf } from "../support/mcp-client.ts";
import { type ReferenceServer, referenceStdio, startReferenceServer } from "../support/reference-server.ts";
import { overStdio } from "../support/scripted-mcp.ts";
import { type ScriptedProcess, startScripted } from "../support/scripted-process.ts";

const SOON = { timeout: 20_000, interval: 20 };
const CALL_MS = 20_000;
/** Long enough to be under way when the change is in force. */
const SLOW = { steps: 30, everyMs: 100 };
const WATCHED = { uri: "test://watched-resource" };
const UPDATED = "notifications/resources/updated";
const ERAS = ["2025", "2026"] as const;
const WATCHING = ["both", "old"];
/** A server of 2025 can be asked by one client only where it asks something back: it does not say whom. */
const ASKING = [
  ["2025", "both"],
  ["2026", "both"],
  ["2026", "old"],
] as const;

let demo: Demo;
let places: ScriptedProcess[];
let http: ReferenceServer[];
let there: ConfigChain;

const tcp = (n: number) => ({ type: "tcp", host: "127.0.0.1", port: places[n]?.port });
const { name: _, ...scripted } = overStdio("moving");
const only2025 = referenceStdio({ only2025: true });

/** What nobody changes, and what each of the changed ones is. */
const serversWith = (changing: FileServers): FileServers => ({
  demo: { type: "tcp", profile: "demo", host: "127.0.0.1", port: demo.mcpPort },
  still: tcp(0),
  ...changing,
});
const changing = (more: object = {}, moreOfMoving = more): FileServers => ({
  moving: { ...scripted, ...moreOfMoving },
  both: { ...referenceStdio(), ...more },
  old: { ...only2025, ...more },
});
const NAMES = Object.keys(changing());

beforeAll(async () => {
  demo = await startDemo();
  places = await Promise.all([startScripted(), startScripted()]);
  http = await Promise.all([startReferenceServer(), startReferenceServer({ only2025: true })]);
  const unlimited = { MCP_REQUESTS_PER_SECOND: "100000" };
  there = await startConfigChain(serversWith(changing()), { gateway: unlimited });
});
afterAll(async () => {
  await there?.stop();
  await Promise.all([...(places ?? []), ...(http ?? [])].map((each) => each.stop()));
  await demo?.stop();
});

const urlOf = (path: string) => `${there.chain.gateway.url}/mcp${path}`;
const connect = async (path: string, era: (typeof ERAS)[number]) =>
  mcpClient(urlOf(path), { era, token: await there.token() });

/** Its answer, or what it was refused with. */
type Ended = { text: string } | { refused: string };
const ended = (call: Promise<{ content: readonly { type: string; text?: unknown }[] }>): Promise<Ended> =>
  call.then(
    (result) => ({ text: textOf(result) }),
    (thrown: unknown) => ({ refused: String(thrown) }),
  );

/** Calls that report what they do, by each way to make one. Resolves when all of them have begun. */
async function slowCalls(): Promise<Promise<Ended>[]> {
  let begun = 0;
  const calls: Promise<Ended>[] = [];
  for (const era of ERAS)
    for (const [path, name] of [
      ["", "moving__progress"],
      ["/moving", "progress"],
    ] as const) {
      const client = await connect(path, era);
      let isFirst = true;
      const onprogress = () => {
        if (isFirst) begun++;
        isFirst = false;
      };
      calls.push(ended(client.callTool({ name, arguments: SLOW }, { onprogress })));
    }
  const byUs = [there.client, there.stream].map(async (each) => {
    let isFirst = true;
    const onChunk = () => {
      if (isFirst) begun++;
      isFirst = false;
    };
    const { content } = await each.callTool("moving__progress", SLOW, { stream: true, onChunk });
    return { content: content as { type: string; text: string }[] };
  });
  calls.push(...byUs.map(ended));
  await expect.poll(() => begun, SOON).toBe(calls.length);
  return calls;
}

/** Calls whose server asks the user, who answers when `answer` is called. Resolves when all users were asked. */
async function askingCalls(): Promise<{ calls: Promise<Ended>[]; answer(): void }> {
  const { promise, resolve: answer } = Promise.withResolvers<void>();
  let asked = 0;
  const calls: Promise<Ended>[] = [];
  for (const [era, server] of ASKING) {
    const client = await connect(`/${server}`, era);
    client.setRequestHandler("elicitation/create", async () => {
      asked++;
      await promise;
      return { action: "accept", content: { response: `${era} at ${server}` } };
    });
    calls.push(ended(client.callTool({ name: "test_elicitation", arguments: { message: "Who?" } })));
  }
  await expect.poll(() => asked, SOON).toBe(calls.length);
  return { calls, answer };
}

async function watchers(): Promise<McpClient[]> {
  const watching = ERAS.flatMap((era) =>
    WATCHING.map(async (server) => {
      const client = await connect(`/${server}`, era);
      if (era === "2025") await client.subscribeResource(WATCHED);
      else await client.listen({ resourceSubscriptions: [WATCHED.uri] });
      return client;
    }),
  );
  return Promise.all(watching);
}

const loadOn = async (server: string): Promise<Load> => {
  const url = urlOf(`/${server}`);
  const clients = await Promise.all(
    ERAS.map(async (era) => new ChainClient(era, { url, token: await there.token() })),
  );
  return new Load(clients, { atOnce: 4, limitMs: CALL_MS });
};

const ANSWERED = ASKING.map((asked) => ({ text: expect.stringContaining(asked.join(" at ")) }));

/** How its calls ended. */
async function endOf(load: Load): Promise<string[]> {
  await load.stop();
  return Object.keys(countsOf(load.tried));
}

/** Writes the file, and waits until our client has heard of it: of just this, and once. */
async function change(next: FileServers, expected: ConfigDifference): Promise<void> {
  const before = there.heard.length;
  there.write(serversWith(next));
  await expect.poll(() => there.heard.length, SOON).toBeGreaterThan(before);
  expect(there.heard.slice(before).map(namesOf)).toEqual([namesOf(expected)]);
  const { revision } = await there.client.configs.status();
  expect(there.heard.at(-1)).toMatchObject({ revision });
}

const NOTHING = { added: [], changed: [], removed: [] };
const CHANGED = { ...NOTHING, changed: NAMES };

describe("servers that are changed while they are used", () => {
  it.each([
    ["are given other variables", () => changing({ env: { VERSION: "1" } })],
    [
      "are at another place",
      () => ({ moving: tcp(1), both: { url: http[0]?.url }, old: { url: http[1]?.url } }),
    ],
    ["are back where they were", () => changing({ env: { VERSION: "2" } })],
  ])("C1 T1 that %s end what they were asked, and are watched where they are then", async (_what, next) => {
    const loads = await Promise.all(["still", "moving"].map(loadOn));
    const watching = await watchers();
    const slow = await slowCalls();
    const asking = await askingCalls();
    await change(next(), CHANGED);
    asking.answer();

    expect(await Promise.all(slow)).toEqual(slow.map(() => ({ text: '"done"' })));
    expect(await Promise.all(asking.calls)).toEqual(ANSWERED);
    for (const client of watching) {
      const updates = () => client.heard.filter((method) => method === UPDATED).length;
      await expect.poll(updates, SOON).toBeGreaterThan(0);
      const before = updates();
      await client.callTool({ name: "test_trigger_resource_update" });
      await expect.poll(updates, SOON).toBeGreaterThan(before);
    }
    for (const load of loads) expect(await endOf(load)).toEqual(["ok"]);
    expect(await there.client.configs.status()).toMatchObject({
      ...{ servers: 5, source: "file", last_error: null, conflicts: [] },
      file: { state: "watched", warnings: [] },
    });
  });

  it("C1 T1 that offer less than before end what they were asked, and nothing else is there for anybody", async () => {
    const still = await loadOn("still");
    const slow = await slowCalls();
    const asking = await askingCalls();
    await change(
      changing({ env: { VERSION: "2" }, allowedTools: ["test_*"] }, { allowedTools: ["echo"] }),
      CHANGED,
    );
    asking.answer();
    expect(await Promise.all(slow)).toEqual(slow.map(() => ({ text: '"done"' })));
    expect(await Promise.all(asking.calls)).toEqual(ANSWERED);
    const called = there.client.callTool("moving__progress", SLOW);
    await expect(called).rejects.toMatchObject({ message: "Unknown tool: progress" });
    expect(await endOf(still)).toEqual(["ok"]);
  });

  it("C1 T1 that are taken away end what they were asked, are unknown then, and work when they are back", async () => {
    await change(changing({ env: { VERSION: "3" } }), CHANGED);
    const [still, moving] = [await loadOn("still"), await loadOn("moving")];
    const slow = await slowCalls();
    const asking = await askingCalls();
    await change({}, { ...NOTHING, removed: NAMES });
    asking.answer();
    expect(await Promise.all(slow)).toEqual(slow.map(() => ({ text: '"done"' })));
    // Whoever comes back with the user's answer comes to a server that is not there.
    for (const one of await Promise.all(asking.calls))
      expect(JSON.stringify(one)).toMatch(/There is no such server|content=/);
    const called = there.client.callTool("moving__echo", {});
    await expect(called).rejects.toMatchObject({ code: "unknown_server" });
    expect(await there.client.configs.status()).toMatchObject({ servers: 2, last_error: null });

    await change(changing({ env: { VERSION: "4" } }), { ...NOTHING, added: NAMES });
    const { content } = await there.client.callTool("moving__env", {});
    expect(JSON.stringify(content)).toContain('VERSION\\":\\"4');
    expect(await endOf(still)).toEqual(["ok"]);
    // A session of the server that was taken away is over with it.
    expect(new Set(["ok", "unknown_server", "not_found", ...(await endOf(moving))]).size).toBe(3);
  });
});
