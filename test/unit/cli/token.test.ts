import { describe, expect, it } from "vitest";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import { verifyToken } from "../../../shared/auth/token.ts";
import { token } from "../../../sidecar/cli/commands/token.ts";
import { NOW_MS, run } from "./fakes.ts";

const secret = Buffer.alloc(32, 7);
const JWT_SECRET = secret.toString("base64");
const mint = (argv: string[] = [], world: Parameters<typeof run>[2] = { env: { JWT_SECRET } }) =>
  run({ token }, ["token", ...argv], world);

describe("hivegate token", () => {
  it("U3 S8 makes a token that the gateway accepts, and prints nothing else", async () => {
    const { code, out, err } = await mint(["--subject", "ada", "--hive", "h1", "--ttl", "30m"]);
    expect([code, err]).toEqual([0, ""]);
    expect(await verifyToken(out.trimEnd(), { secret }, NOW_MS)).toEqual({
      subject: "ada",
      hives: ["h1"],
      permissions: [...ALL_PERMISSIONS],
      scope: {},
      expiresMs: NOW_MS + 30 * 60_000,
    });
  });

  it("U3 S8 gives only the permissions asked for", async () => {
    const { out } = await mint(["--permissions", "telemetry:read,tools:call:demo__*"]);
    const { permissions } = await verifyToken(out.trimEnd(), { secret }, NOW_MS);
    expect(permissions).toEqual(["telemetry:read", "tools:call:demo__*"]);
  });

  it("U3 S8 limits what it shows to some swarms", async () => {
    const { out } = await mint(["--swarms", "s1,s2"]);
    expect((await verifyToken(out.trimEnd(), { secret }, NOW_MS)).scope).toEqual({ swarm_ids: ["s1", "s2"] });
  });

  it("U3 R5 says what it may do on the relay", async () => {
    const { out } = await mint(["--permissions", "relay:read,relay:write", "--role", "auditor"]);
    expect(await verifyToken(out.trimEnd(), { secret }, NOW_MS)).toMatchObject({
      ...{ permissions: ["relay:read", "relay:write"], role: "auditor" },
    });
  });

  it("U3 finds the secret in .dev.vars", async () => {
    const files = { ".dev.vars": `SIDECAR_KEYS="{}"\nJWT_SECRET="${JWT_SECRET}"\n` };
    expect((await mint([], { files })).code).toBe(0);
  });

  it.each([
    [["--ttl", "soon"], "--ttl:"],
    [["--ttl", "0h"], "--ttl:"],
    [["--permissions", "root"], "--permissions:"],
    [["--role", ""], "--role:"],
    [["--hive", "A B"], "--hive:"],
    [["--subject", ""], "--subject:"],
    [["--swarms", "a,,b"], "--swarms:"],
  ])("U3 exits 2 for %j", async (argv, message) => {
    expect(await mint(argv)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(message) });
  });

  it.each(["", "short", "!".repeat(64)])(
    "U3 S8 exits 2 for the secret %j and does not repeat it",
    async (bad) => {
      const { code, err } = await mint([], { env: { JWT_SECRET: bad } });
      expect(code).toBe(2);
      expect(err).toContain("JWT_SECRET");
      if (bad) expect(err).not.toContain(bad);
    },
  );
});
