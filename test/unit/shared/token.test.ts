import { describe, expect, it } from "vitest";
import type { Identity } from "../../../shared/auth/permission.ts";
import { mintToken, TokenVerifier, verifyToken } from "../../../shared/auth/token.ts";

const SECRET = new Uint8Array(32).fill(1);
const NOW_MS = 1_800_000_000_000;
const IDENTITY: Identity = {
  subject: "alice",
  hives: ["default"],
  permissions: ["tasks:read"],
  scope: { swarm_ids: ["s1"] },
  expiresMs: NOW_MS + 60_000,
};

describe("client tokens", () => {
  it("S8 say who holds them, for which hives, allowed what, until when", async () => {
    expect(await verifyToken(await mintToken(IDENTITY, SECRET, NOW_MS), { secret: SECRET }, NOW_MS)).toEqual(
      IDENTITY,
    );
  });

  it("S8 are refused when forged, malformed or of another algorithm", async () => {
    const forged = await mintToken(IDENTITY, new Uint8Array(32), NOW_MS);
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"alice"}')}.`;
    for (const token of [forged, unsigned, "nonsense", ""]) {
      await expect(verifyToken(token, { secret: SECRET }, NOW_MS)).rejects.toMatchObject({
        code: "unauthorized",
      });
    }
  });

  it.each(["swarm_id", "swarmIds", "swarms"])(
    "S8 are refused when their scope holds a list of no known name: %s",
    async (name) => {
      const scope = Object.fromEntries([[name, ["s1"]]]);
      const token = await mintToken({ ...IDENTITY, scope }, SECRET, NOW_MS);
      await expect(verifyToken(token, { secret: SECRET }, NOW_MS)).rejects.toMatchObject({
        code: "unauthorized",
      });
    },
  );

  it("S8 are checked once, and refused as soon as they expire", async () => {
    const verifier = new TokenVerifier({ secret: SECRET }, 10);
    const token = await mintToken(IDENTITY, SECRET, NOW_MS);
    const first = await verifier.verify(token, NOW_MS);
    expect(await verifier.verify(token, NOW_MS + 59_000)).toBe(first);
    await expect(verifier.verify(token, NOW_MS + 60_000)).rejects.toMatchObject({ code: "token_expired" });
  });

  it("S6 are forgotten, oldest first, beyond the limit", async () => {
    const verifier = new TokenVerifier({ secret: SECRET }, 2);
    const tokens = await Promise.all(
      ["a", "b", "c"].map((subject) => mintToken({ ...IDENTITY, subject }, SECRET, NOW_MS)),
    );
    // One after the other: which of several at once is the oldest would be chance.
    const verified = [];
    for (const token of tokens) verified.push(await verifier.verify(token, NOW_MS));
    expect(await verifier.verify(tokens[2] ?? "", NOW_MS)).toBe(verified[2]);
    expect(await verifier.verify(tokens[0] ?? "", NOW_MS)).not.toBe(verified[0]);
  });
});
