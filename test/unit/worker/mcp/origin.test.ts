import { describe, expect, it } from "vitest";
import { checkOrigin, corsHeaders, type OriginSettings, preflight } from "../../../../worker/mcp/origin.ts";

const NONE: OriginSettings = { allowedOrigins: [], allowedHosts: null, publicUrl: null };
const asked = (url: string, origin: string | null, settings: Partial<OriginSettings> = {}) => {
  const request = new Request(url, { headers: origin === null ? {} : { origin } });
  try {
    return checkOrigin(request, { ...NONE, ...settings });
  } catch {
    return "refused";
  }
};

describe("where an MCP request comes from", () => {
  it.each([
    ["http://localhost:8787/mcp", "http://localhost:8787", "http://localhost:8787"],
    ["http://127.0.0.1:8787/mcp", "http://127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["http://[::1]:8787/mcp", "http://[::1]:8787", "http://[::1]:8787"],
    // TLS may end before the gateway.
    ["http://hive.example/mcp", "https://hive.example", "https://hive.example"],
    ["http://localhost:8787/mcp", null, null],
  ])("S8 takes %s from a page of %s", (url, origin, answer) => expect(asked(url, origin)).toBe(answer));

  it.each([
    ["http://localhost:8787/mcp", "http://localhost:3000"],
    ["http://localhost:8787/mcp", "https://evil.example"],
    // DNS rebinding: the page's own name leads to this gateway now.
    ["http://evil.example/mcp", "http://evil.example"],
    ["http://evil.example:8787/mcp", "http://evil.example:8787"],
    ["http://localhost.evil.example/mcp", "http://localhost.evil.example"],
    ["http://127.0.0.1.evil.example/mcp", "http://127.0.0.1.evil.example"],
    ["http://localhost:8787/mcp", "null"],
    ["http://localhost:8787/mcp", "nonsense"],
    ["http://localhost:8787/mcp", ""],
  ])("S8 refuses %s from a page of %j", (url, origin) => expect(asked(url, origin)).toBe("refused"));

  it("S8 takes pages and names that are allowed", () => {
    const settings = { allowedOrigins: ["https://app.example"], publicUrl: "https://hive.example" };
    expect(asked("http://gateway:8787/mcp", "https://app.example", settings)).toBe("https://app.example");
    expect(asked("http://gateway:8787/mcp", "https://hive.example", settings)).toBe("https://hive.example");
    expect(asked("http://a.example/mcp", "https://b.example", { allowedOrigins: ["*"] })).toBe(
      "https://b.example",
    );
    const hosts = { allowedHosts: ["gateway:8787"] };
    expect(asked("http://gateway:8787/mcp", null, hosts)).toBeNull();
    expect(asked("http://gateway:8787/mcp", "http://gateway:8787", hosts)).toBe("http://gateway:8787");
    expect(asked("http://localhost:8787/mcp", null, hosts)).toBe("refused");
  });

  it("S8 lets a page's script send what it wants to, and read what it needs", () => {
    const request = new Request("http://localhost/mcp", {
      headers: { "access-control-request-headers": "authorization, mcp-session-id" },
    });
    const { status, headers } = preflight(request, "http://localhost");
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-headers")).toBe("authorization, mcp-session-id");
    expect(corsHeaders("http://localhost")["access-control-expose-headers"]).toContain("mcp-session-id");
  });
});
