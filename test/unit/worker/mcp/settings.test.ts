import { describe, expect, it } from "vitest";
import { readConfig } from "../../../../worker/config.ts";

const REQUIRED = {
  HIVES: JSON.stringify({ default: { url: "http://sidecar.invalid", kid: "k" } }),
  SIDECAR_KEYS: JSON.stringify({ k: Buffer.alloc(32, 1).toString("base64") }),
  JWT_SECRET: Buffer.alloc(32, 2).toString("base64"),
};
const read = (more: Record<string, string> = {}) => readConfig({ ...REQUIRED, ...more });
const RSA = { kty: "RSA", kid: "a", n: "AQAB", e: "AQAB" };
const ISSUER = { JWT_ISSUER: "https://login.example", JWT_AUDIENCE: "https://hive.example/mcp" };

describe("what the gateway's environment says of MCP", () => {
  it("T6 is closed to pages and to other issuers when it says nothing", () => {
    expect(read()).toMatchObject({
      issuer: null,
      mcp: { allowedOrigins: [], allowedHosts: null, authorizationServers: [], publicUrl: null },
    });
  });

  it("T6 names origins, hosts, rules and who gives tokens", () => {
    const { mcp, issuer } = read({
      ...ISSUER,
      MCP_ALLOWED_ORIGINS: "https://a.example, http://localhost:3000",
      MCP_ALLOWED_HOSTS: "hive.example,localhost:8787",
      MCP_RULES: '{"sizes":[{"tools":["*"],"argumentBytes":100}]}',
      MCP_REQUESTS_PER_SECOND: "7",
      MCP_AUTHORIZATION_SERVERS: "https://login.example",
      PUBLIC_URL: "https://hive.example/",
      JWT_JWKS: JSON.stringify({ keys: [RSA, { kty: "oct", k: "c2VjcmV0" }] }),
    });
    expect(mcp).toMatchObject({
      allowedOrigins: ["https://a.example", "http://localhost:3000"],
      allowedHosts: ["hive.example", "localhost:8787"],
      rules: { access: [], sizes: [{ argumentBytes: 100 }] },
      requestsPerSecond: 7,
      publicUrl: "https://hive.example",
    });
    expect(issuer).toMatchObject({ audiences: ["https://hive.example/mcp"], keys: { keys: [RSA] } });
  });

  it.each<[string, Record<string, string>]>([
    ["MCP_RULES", { MCP_RULES: "{" }],
    ["MCP_RULES.access.0.effect", { MCP_RULES: '{"access":[{}]}' }],
    ["MCP_ALLOWED_ORIGINS", { MCP_ALLOWED_ORIGINS: "https://a.example/path" }],
    ["MCP_ALLOWED_HOSTS", { MCP_ALLOWED_HOSTS: "https://a.example" }],
    ["MCP_REQUESTS_PER_SECOND", { MCP_REQUESTS_PER_SECOND: "0" }],
    ["PUBLIC_URL", { PUBLIC_URL: "https://hive.example/mcp" }],
    ["JWT_ISSUER", { JWT_JWKS_URL: "https://login.example/keys" }],
    ["JWT_AUDIENCE", { JWT_JWKS_URL: "https://login.example/keys", JWT_ISSUER: "a" }],
    ["JWT_JWKS_URL", { ...ISSUER, JWT_JWKS_URL: "http://login.example/keys" }],
    [
      "JWT_JWKS",
      { ...ISSUER, JWT_JWKS_URL: "https://a.example/keys", JWT_JWKS: `{"keys":[${JSON.stringify(RSA)}]}` },
    ],
    ["JWT_JWKS", { ...ISSUER, JWT_JWKS: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}' }],
    ["JWT_ALGORITHMS", { ...ISSUER, JWT_ALGORITHMS: "HS256" }],
    ["JWT_ALGORITHMS", { ...ISSUER, JWT_ALGORITHMS: "none" }],
  ])("T6 stops the start with one line that names %s", (name, more) => {
    let message = "";
    try {
      read(more);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(`${name}`);
    expect(message).not.toContain("\n");
  });
});
