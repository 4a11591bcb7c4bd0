/** Whatever a client sends, it gets exactly one answer, and the next client is none the worse for it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { ERROR_CODES } from "../../../shared/errors.ts";
import { ClientFrame } from "../../../shared/protocol/client.ts";
import { createApp } from "../../../worker/app.ts";
import { readConfig } from "../../../worker/config.ts";
import { Gateway } from "../../../worker/gateway.ts";
import { SECRET, setUp } from "./shard-setup.ts";

/** Frames that are answered by the picture, or not at all, when there is nothing wrong with them. */
const WITHOUT_ANSWER = new Set<unknown>(["ack", "get_snapshot", "resume"]);

const TYPES = ClientFrame.options.map(({ shape }) => shape.type.value);
const FIELDS = [...new Set(ClientFrame.options.flatMap(({ shape }) => Object.keys(shape)))];

/** Values that some field takes beside any others. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>("normal", "e", 0, 1_000, true, {}, [], "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10"),
  fc.constant({ agent_types: ["x"], include_performance: true }),
);
const fields = fc.dictionary(
  fc.constantFrom(...FIELDS.filter((name) => name !== "type" && name !== "requestId")),
  value,
  { maxKeys: 6 },
);

/** One shard for all, whose sidecar is away. */
function aShard() {
  const { shard, connect, answer } = setUp();
  answer.resolve(new Response("{}", { status: 503 }));
  /** What a client of its own hears when it says this. */
  return async (data: string | ArrayBuffer) => {
    const { socket, frames, closed } = connect("stream");
    const before = frames.length;
    await shard.receive(socket, data);
    shard.disconnect(socket);
    return { answers: frames.slice(before), closed };
  };
}

describe("a client's frame", () => {
  it.each(TYPES)("S8 H4 is answered exactly once: %s with whatever fields", async (type) => {
    const say = aShard();
    await fc.assert(
      fc.asyncProperty(fields, async (given) => {
        const frame = { ...given, type, requestId: "r" };
        const { answers, closed } = await say(JSON.stringify(frame));
        const isRight = ClientFrame.safeParse(frame).success;
        const expected = isRight && WITHOUT_ANSWER.has(type) ? 0 : 1;
        expect(answers).toHaveLength(expected);
        for (const answer of answers) expect(answer).toMatchObject({ requestId: "r" });
        if (!isRight) expect(answers).toMatchObject([{ type: "error", code: "invalid_request" }]);
        expect(closed).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("S8 H4 is answered exactly once when it is no frame at all", async () => {
    const say = aShard();
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((json) => JSON.stringify(json)),
    );
    const binary = fc.uint8Array({ maxLength: 50 }).map((bytes) => Uint8Array.from(bytes).buffer);
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, binary), async (data) => {
        const { answers } = await say(data);
        expect(answers).toMatchObject([{ type: "error", message: expect.any(String) }]);
      }),
    );
  });
});

describe("a task over HTTP", () => {
  it("S8 H1 is answered by one of our errors, whatever its body", async () => {
    const gateway = new Gateway(
      readConfig({
        HIVES: JSON.stringify({ default: { url: "http://sidecar.invalid", kid: "k" } }),
        SIDECAR_KEYS: JSON.stringify({ k: Buffer.alloc(32, 1).toString("base64") }),
        JWT_SECRET: Buffer.from(SECRET).toString("base64"),
      }),
      async () => {},
    );
    const app = createApp({
      ...{ gateway, page: "", now: Date.now, uuid: () => crypto.randomUUID(), log: () => {} },
      openSession: () => Promise.reject(new Error("nobody opens one")),
      refuseSession: () => new Response(),
      metrics: () => Promise.reject(new Error("nobody asks for them")),
      audit: () => Promise.reject(new Error("nobody asks for it")),
      toolStats: () => Promise.reject(new Error("nobody asks for them")),
      defer: () => {},
    });
    let clients = 0;
    const post = async (body: string) => {
      const subject = `s${clients++}`;
      const expiresMs = Date.now() + 60_000;
      const identity = { subject, hives: ["*"], permissions: [...ALL_PERMISSIONS], scope: {}, expiresMs };
      const token = await mintToken(identity, SECRET, Date.now());
      return app.request("/v1/hives/default/tasks", {
        ...{ method: "POST", body },
        headers: {
          authorization: `Bearer ${token}`,
          "content-length": String(Buffer.byteLength(body)),
        },
      });
    };
    const wrong = fields.filter(({ task }) => typeof task !== "string" || task === "");
    const body = fc.oneof(
      fc.string(),
      wrong.map((json) => JSON.stringify(json)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const response = await post(text);
        expect(response.status).toBe(400);
        expect(await response.json()).toMatchObject({
          code: expect.toSatisfy((code) => ERROR_CODES.includes(code)),
          message: expect.any(String),
          retryable: false,
        });
      }),
      { numRuns: 60 },
    );
  });
});
