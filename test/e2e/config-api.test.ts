/** The configuration API at a real sidecar, with a real file. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { sidecarWithFile } from "../support/config-api.ts";

/** Nothing is connected to before it is asked something, so any port will do: it tells versions apart. */
const tcp = (port: number) => ({ type: "tcp", host: "127.0.0.1", port });
const ROUNDS = 200;

async function setUp(...given: Parameters<typeof sidecarWithFile>) {
  const { stop, ...parts } = await sidecarWithFile(...given);
  onTestFinished(stop);
  return parts;
}

describe("the configuration API of a sidecar", () => {
  it("C2 creates, changes, lists, tells the past of and removes a configuration, by its version", async () => {
    const { api } = await setUp({ one: tcp(1) });
    const created = await api.put("two", { config: tcp(2), agent_names: ["x"] });
    expect(created).toMatchObject({
      status: 201,
      etag: '"2"',
      body: { name: "two", revision: 2, enabled: true },
    });
    expect(await api.put("two", { config: tcp(3) })).toMatchObject({
      status: 428,
      body: { code: "precondition_required" },
    });
    expect(await api.put("two", { config: tcp(3) }, { "if-none-match": "*" })).toMatchObject({ status: 412 });
    expect(await api.put("two", { config: tcp(3) }, { "if-match": '"1"' })).toMatchObject({ status: 412 });
    expect(await api.put("two", { config: tcp(3) }, { "if-match": '"2"' })).toMatchObject({
      status: 200,
      etag: '"3"',
    });
    expect(await api.put("no__name", { config: tcp(3) })).toMatchObject({
      status: 422,
      body: { code: "config_invalid" },
    });
    expect(await api.put("three", { config: { command: "sh" } })).toMatchObject({
      ...{ status: 422, body: { message: expect.stringContaining("MCP_API_COMMANDS") } },
    });
    expect(await api.ask("PUT", "configs/three", { config: tcp(1), other: 1 })).toMatchObject({
      status: 400,
    });

    const list = await api.list();
    expect(list).toMatchObject({
      revision: 3,
      configs: [
        { name: "one", revision: 1 },
        { name: "two", config: tcp(3) },
      ],
    });
    const known = { "if-none-match": 'W/"3"' };
    expect(await api.ask("GET", "configs", undefined, known)).toEqual({
      status: 304,
      etag: '"3"',
      body: null,
    });
    expect(await api.ask("GET", "configs/two", undefined, known)).toMatchObject({ status: 304 });
    expect(await api.ask("GET", "configs/one", undefined, known)).toMatchObject({ status: 200, etag: '"1"' });

    const restored = await api.ask(
      "POST",
      "configs/two/restore?by=bob",
      { revision: 2 },
      { "if-match": '"3"' },
    );
    expect(restored).toMatchObject({
      status: 200,
      etag: '"4"',
      body: { config: tcp(2), agent_names: ["x"] },
    });
    expect(await api.ask("DELETE", "configs/two")).toMatchObject({ status: 428 });
    expect(await api.ask("DELETE", "configs/two", undefined, { "if-match": '"4"' })).toMatchObject({
      status: 204,
    });
    expect(await api.ask("DELETE", "configs/two", undefined, { "if-match": '"4"' })).toMatchObject({
      status: 404,
    });
    expect(await api.ask("GET", "configs/two")).toMatchObject({
      status: 404,
      body: { code: "unknown_config" },
    });
    expect(await api.history("configs/two/history?limit=2")).toMatchObject({
      versions: [
        { revision: 5, value: null },
        { revision: 4, by: "bob", source: "restore" },
      ],
      more: true,
    });
    expect((await api.history("history?before=3")).versions).toMatchObject([
      { name: "two", revision: 2, by: "ada", source: "api" },
      { name: "one", revision: 1, by: ".mcp.json", source: "file" },
    ]);
    expect(await api.ask("GET", "history?limit=0")).toMatchObject({ status: 400 });
    expect(await api.status()).toMatchObject({
      revision: 5,
      source: "api",
      servers: 1,
      file: { state: "watched" },
    });
  });

  it("C2 shows no secret, and keeps those that are given back hidden", async () => {
    const { api } = await setUp({ one: { ...tcp(1), token: "s3cret" } });
    const shown = await api.get("one");
    expect(shown.config).toEqual({ ...tcp(1), token: "***" });
    const config = { ...shown.config, category: "mine" };
    const changed = await api.put("one", { config }, { "if-match": '"1"' });
    expect(changed).toMatchObject({ status: 200, body: { config: { token: "***", category: "mine" } } });
    const elsewhere = { ...config, host: "elsewhere.example" };
    expect(await api.put("one", { config: elsewhere }, { "if-match": '"2"' })).toMatchObject({ status: 422 });
    expect(JSON.stringify(await api.history("history"))).not.toContain("s3cret");
    const { file, last_error } = await api.status();
    expect([file?.state, last_error]).toEqual(["watched", null]);
  });

  it("C1 C2 says why and where a file is refused, and goes on with what there was", async () => {
    const { api, edit } = await setUp({ one: tcp(1) });
    edit({ one: tcp(2), two: { type: "tcp", host: "127.0.0.1", port: "none" } });
    const refused = await api.ask("POST", "reload?by=ada");
    expect(refused).toMatchObject({
      ...{
        status: 422,
        body: { code: "config_invalid", message: expect.stringMatching(/^line 11, column 15: /) },
      },
    });
    expect(await api.status()).toMatchObject({
      revision: 1,
      file: { state: "refused" },
      last_error: { line: 11 },
    });
    edit({ one: tcp(3) });
    // The watcher may have been there before.
    expect(await api.ask("POST", "reload?by=ada")).toMatchObject({ status: 200, body: { revision: 2 } });
    expect((await api.get("one")).config).toEqual(tcp(3));
    expect(await api.status()).toMatchObject({
      source: "file",
      file: { state: "watched" },
      last_error: null,
    });
  });

  it("C3 has what it said it has after it was killed, and the file as it is then", async () => {
    const { api, edit, killAndStart } = await setUp({ one: tcp(1), two: tcp(1) });
    await api.put("one", { config: tcp(2) }, { "if-match": '"1"' });
    const before = await api.get("one");
    await killAndStart();
    expect(await api.get("one")).toEqual(before);
    edit({ one: tcp(1), two: tcp(9) });
    await killAndStart();
    expect(await api.get("one")).toEqual(before);
    expect(await api.get("two")).toMatchObject({ config: tcp(9), revision: 4 });
  });
});

describe("a file that is edited while the API is used", () => {
  it(`C3 ${ROUNDS} times at the same moment, neither edit is lost`, { timeout: 120_000 }, async () => {
    const { api, edit } = await setUp({ one: tcp(1) });
    const outcomes = { file: 0, api: 0, told: 0 };
    for (let round = 1; round <= ROUNDS; round++) {
      const [fromFile, fromApi] = [10_000 + round, 20_000 + round];
      const { revision } = await api.get("one");
      const put = api.put("one", { config: tcp(fromApi) }, { "if-match": `"${revision}"` });
      // From long before the request arrives to long after it was answered.
      if (round % 4 > 0) await new Promise((done) => setTimeout(done, round % 4));
      edit({ one: tcp(fromFile) });
      const { status } = await put;
      expect((await api.ask("POST", "reload")).status).toBe(200);
      const { versions } = await api.history("configs/one/history?limit=2");
      const ports = versions.map(({ value }) => value?.config.port);
      expect((await api.get("one")).config).toEqual(tcp(fromFile));
      expect(ports).toContain(fromFile);
      const [conflict] = (await api.status()).conflicts.slice(-1);
      if (status === 200) outcomes.api++;
      else expect(status).toBe(412);
      if (ports.includes(fromApi)) {
        const lost = versions.find(({ value }) => value?.config.port === fromApi);
        const kept = versions.find(({ value }) => value?.config.port === fromFile);
        expect(conflict).toMatchObject({ name: "one", kept: kept?.revision, lost: lost?.revision });
        if (status === 412) outcomes.file++;
      } else {
        // The file was taken over before the request came: that is another version than was meant, and no more.
        expect(status).toBe(412);
        outcomes.told++;
      }
    }
    console.info("the API came first, the file came first, long before:", outcomes);
    expect(outcomes.api).toBeGreaterThan(0);
    expect(outcomes.file).toBeGreaterThan(0);
  });

  it("C1 C3 the file's edit comes by itself, over the API's", async () => {
    const { api, edit } = await setUp({ one: tcp(1) });
    for (let round = 1; round <= 5; round++) {
      const { revision } = await api.get("one");
      await api.put("one", { config: tcp(100 + round) }, { "if-match": `"${revision}"` });
      edit({ one: tcp(200 + round) });
      await vi.waitFor(async () => expect((await api.get("one")).config).toEqual(tcp(200 + round)), {
        ...{ timeout: 5_000, interval: 20 },
      });
      expect((await api.status()).conflicts).toHaveLength(round);
    }
  });
});
