import { describe, expect, it, onTestFinished, vi } from "vitest";
import { platformClock } from "../../../shared/clock.ts";
import { BREAKER_RULES } from "../../../shared/pressure/breaker.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";
import { McpServers } from "../../../sidecar/mcp/servers.ts";
import type { CollectorNews } from "../../../sidecar/telemetry/hub.ts";
import { type Source, Sources } from "../../../sidecar/telemetry/sources.ts";
import { mcpServer, startLineServer } from "../../support/line-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

/** A generic server that lists one agent, and counts how often it is asked. */
async function startLister(agent: string, state: { answers: boolean } = { answers: true }) {
  const asked = { times: 0 };
  const answer = mcpServer({
    agent_list: (_args, reply) => {
      asked.times++;
      if (state.answers) reply({ agents: [{ id: agent, type: "worker", status: "idle" }] });
    },
  });
  const server = await startLineServer(answer);
  const says = (method: string) => {
    for (const client of server.clients) client.send({ jsonrpc: "2.0", method });
  };
  return { ...server, asked, says };
}

type Entry = { name: string; port: number } & Record<string, unknown>;

/** Sources that follow what is applied. */
function following(entries: readonly Entry[], clock = platformClock) {
  const { log } = recordingLog();
  const parsed = (list: readonly Entry[]) =>
    McpServerConfigs.parse(list.map((entry) => ({ profile: "generic", host: "127.0.0.1", ...entry })));
  const servers = new McpServers(parsed(entries), {
    ...{ callTimeoutMs: 5_000, rules: BREAKER_RULES, log, now: () => clock.now(), random: () => 0 },
    breakers: { load: () => null, save: () => {}, forget: () => {} },
  });
  onTestFinished(() => servers.close());
  const sources = new Sources({ timeoutMs: 5_000, log, clock });
  sources.follow(servers.pools());
  servers.onChange(({ changed }) => sources.follow(servers.pools(), changed));
  return { servers, sources, apply: (...list: Entry[]) => void servers.apply(parsed(list)) };
}

/** What a source told so far. It is asked no more at the test's end. */
function watch({ telemetry }: Source, intervalMs = 10_000) {
  const news: CollectorNews[] = [];
  telemetry.watch(intervalMs, (one) => news.push(one));
  onTestFinished(() => telemetry.watch(null, () => {}));
  const agents = () => news.at(-1)?.report?.agents.map(({ agent_id }) => agent_id);
  const states = () => telemetry.servers().map(({ server, status }) => `${server} ${status}`);
  return { news, agents, states };
}

const only = (sources: Sources): Source => {
  const [source, ...others] = sources.all;
  if (!source || others.length > 0) throw new Error(`there are ${sources.all.length} sources`);
  return source;
};

const soon = (condition: () => unknown) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });

it("S6 a server is asked when it tells of a change, not for what it says beside its work", async () => {
  const server = await startLister("a");
  const clock = new ManualClock();
  const { servers, sources } = following([{ name: "g", port: server.port }], clock);
  const told = new Promise((resolve) => only(sources).telemetry.watch(10_000, resolve));
  clock.advance(0);
  await told;
  /** Everything said so far has been heard, and what it leads to has reached the server. */
  const afterAll = async () => {
    for (let n = 0; n < 2; n++) {
      await servers.primary()?.connection.ping();
      clock.advance(1_000);
    }
    await servers.primary()?.connection.ping();
    return server.asked.times;
  };
  for (const beside of ["message", "progress", "cancelled"]) server.says(`notifications/${beside}`);
  expect(await afterAll()).toBe(1);
  server.says("notifications/agents/changed");
  expect(await afterAll()).toBe(2);
});

describe("sources that follow the configuration", () => {
  it("C1 S3 a pool whose servers stay keeps its source, and is not even asked", async () => {
    const [one, two] = [await startLister("1"), await startLister("2")];
    const { sources, apply } = following([{ name: "one", port: one.port }]);
    const before = only(sources);
    const { news } = watch(before);
    await soon(() => news.length === 1);
    apply({ name: "one", port: one.port }, { name: "two", port: two.port });
    const [first, second] = sources.all;
    expect(first).toBe(before);
    expect(second?.pool.name).toBe("two");
    apply({ name: "one", port: one.port });
    expect(only(sources)).toBe(before);
    expect([news.length, one.asked.times, two.asked.times]).toEqual([1, 1, 0]);
  });

  it("C1 S3 a server that joins or leaves a pool is told of at once, and what is known of the others stays", async () => {
    const [one, two] = [await startLister("1"), await startLister("1")];
    const entries = [one, two].map(({ port }, n) => ({ name: `way-${n}`, pool: "p", port }));
    const { sources, apply } = following(entries.slice(0, 1));
    const before = only(sources);
    const { news, states } = watch(before);
    await soon(() => news.length === 1);
    apply(...entries);
    expect(only(sources)).toBe(before);
    expect(states()).toEqual(["way-0 available", "way-1 unavailable"]);
    await soon(() => states()[1] === "way-1 available");
    apply(...entries.slice(1));
    expect(only(sources)).toBe(before);
    expect(states()).toEqual(["way-1 available"]);
    const polls = two.asked.times;
    await soon(() => two.asked.times > polls);
  });

  it("C1 S3 a server that was replaced is asked at once, however long its predecessor takes", async () => {
    const state = { answers: true };
    const [old, next] = [await startLister("1", state), await startLister("2")];
    const { sources, apply } = following([{ name: "g", port: old.port }]);
    const before = only(sources);
    const { news, agents, states } = watch(before, 16);
    await soon(() => news.length > 0);
    state.answers = false;
    const asked = old.asked.times;
    await soon(() => old.asked.times > asked);
    apply({ name: "g", port: next.port });
    expect(only(sources)).toBe(before);
    expect(states()).toEqual(["g available"]);
    await soon(() => agents()?.[0] === "2");
    expect(old.clients.size).toBeLessThanOrEqual(1);
  });

  it("C1 S3 a pool of another kind is another source, and nobody listens to the former one", async () => {
    const server = await startLister("1");
    const { sources, apply } = following([{ name: "g", port: server.port }]);
    const before = only(sources);
    const { news } = watch(before);
    await soon(() => news.length === 1);
    // Whoever takes a source off the picture ends its watch.
    before.telemetry.watch(null, () => {});
    apply({ name: "g", port: server.port, generic: { source: "other" } });
    const after = only(sources);
    expect(after).not.toBe(before);
    const { news: more } = watch(after);
    await soon(() => more.length === 1);
    const polls = server.asked.times;
    server.says("notifications/agents/changed");
    await soon(() => more.length === 2);
    expect([news.length, server.asked.times]).toEqual([1, polls + 1]);
  });

  it("C1 S3 a server that tells of agents no more is no source, though it stays", async () => {
    const server = await startLister("1");
    const { servers, sources, apply } = following([{ name: "g", port: server.port }]);
    apply({ name: "g", port: server.port, profile: undefined });
    expect([sources.all, servers.all().length]).toEqual([[], 1]);
  });

  it("C1 S3 other names for the fields of the same server's agents are read at once", async () => {
    const server = await startLister("1");
    const { sources, apply } = following([{ name: "g", port: server.port }]);
    const before = only(sources);
    const { agents, states } = watch(before);
    await soon(() => agents()?.[0] === "1");
    apply({ name: "g", port: server.port, generic: { fields: { name: "id", agent_id: "type" } } });
    expect(only(sources)).toBe(before);
    await soon(() => agents()?.[0] === "worker");
    expect(states()).toEqual(["g available"]);
  });
});
