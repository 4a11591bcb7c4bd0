import { expect, it } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { SUBPROTOCOL } from "../../shared/protocol/gateway.ts";
import { anAgent } from "../support/agents.ts";
import { type Contract, onEveryHost } from "./hosts.ts";

/** What a client may do is in its token, to the second: `exp` has no smaller unit. */
const inSeconds = (seconds: number) => (Math.floor(Date.now() / 1000) + seconds) * 1000;

const worker = anAgent({ agent_id: "w" });
const queen = anAgent({ agent_id: "q", agent_type: "queen" });

onEveryHost("who may see what", ({ sidecar, gateway, connect }) => {
  it("S8 refuses at the door: an error frame says why, the close code whether to come back", async () => {
    const refusals: [Parameters<Contract["connect"]>[0], string, number][] = [
      [{ token: null }, "unauthorized", 4502],
      [{ token: "forged" }, "unauthorized", 4502],
      [{ token: "forged", as: "subprotocol" }, "unauthorized", 4502],
      [{ identity: { expiresMs: Date.now() - 2_000 } }, "token_expired", 4503],
      [{ identity: { permissions: ["tasks:read"] } }, "forbidden", 4504],
      [{ identity: { hives: ["other"] } }, "unknown_hive", 4505],
      [{ query: { mode: "sometimes" } }, "invalid_request", 4500],
      [{ query: { filters: "{" } }, "invalid_request", 4500],
    ];
    for (const [options, code, closeCode] of refusals) {
      const client = await connect(options);
      expect(await client.next("error")).toMatchObject({ code });
      expect(await client.closed).toBe(closeCode);
    }
  });

  it("S8 takes a browser's token as the second subprotocol, and never says it back", async () => {
    const client = await connect({ as: "subprotocol" });
    await client.next("welcome");
    expect(client.protocol).toBe(SUBPROTOCOL);
  });

  it("S8 shows what is in the token's scope, whatever the filters say, and takes a fresh token's scope", async () => {
    sidecar.show([worker, queen]);
    const subject = "scoped";
    const seen = async () => {
      const { payload } = await client.next("snapshot", ({ epoch }) => epoch === sidecar.epoch);
      return payload.agents.map(({ agent_id }) => agent_id);
    };
    const client = await connect({
      identity: { subject, scope: { agent_types: ["queen"] } },
      query: { filters: JSON.stringify({ agent_types: ["queen", "worker"] }) },
    });
    expect(await seen()).toEqual(["q"]);

    const expiresMs = inSeconds(100);
    const fresh = await gateway().token({ subject, expiresMs });
    expect(await client.ask({ type: "refresh_token", token: fresh })).toMatchObject({
      ...{ type: "token_refreshed", expires_at: expiresMs },
    });
    expect(await seen()).toEqual(["w", "q"]);
    const others = await gateway().token({ subject: "somebody else" });
    expect(await client.ask({ type: "refresh_token", token: others })).toMatchObject({ code: "forbidden" });
  });

  it("S8 ends a session with its token, unless a fresh one came in time", async () => {
    const subject = "brief";
    const identity = { subject, expiresMs: inSeconds(2) };
    const [ending, going] = await Promise.all([connect({ identity }), connect({ identity })]);
    const token = await gateway().token({ subject });
    expect(await going.ask({ type: "refresh_token", token })).toMatchObject({ type: "token_refreshed" });
    // Whoever is silent is noticed by what it is sent.
    let status = 0;
    const news = setInterval(() => sidecar.show([{ ...worker, status: `${status++}` }]), 50);
    expect(await ending.closed).toBe(4503);
    expect(Date.now()).toBeGreaterThanOrEqual(identity.expiresMs);
    clearInterval(news);
    expect(await going.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  it("S6 S8 gives one subject its share of sessions, and others theirs", async () => {
    const identity = { subject: "many" };
    await Promise.all(
      Array.from({ length: LIMITS.sessionsPerSubject }, () => connect({ kind: "relay", identity })),
    );
    const other = await connect({ kind: "relay" });
    expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    // Opened that fast, the next one may be refused for its haste first.
    const refusal = async () => (await (await connect({ kind: "relay", identity })).next("error")).code;
    await expect.poll(refusal, { timeout: 5_000 }).toBe("overloaded");
  });
});
