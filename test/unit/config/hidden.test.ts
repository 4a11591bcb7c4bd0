// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import { describe, expect, it } from "vitest";
import { hideSecrets, revealSecrets } from "../../../sidecar/config/hidden.ts";
import { ServerUpdate } from "../../../sidecar/config/older-api/bodies.ts";
import { updated } from "../../../sidecar/config/older-api/values.ts";

const HTTP = {
  type: "http",
  url: "https://mcp.example/mcp",
  headers: {
    authorization: "Bearer abc",
    "x-key": "${KEY}",
    "x-two": "${A}${env:B}",
    "x-rest": "${KEY:-abc}",
  },
  autoApprove: ["abc"],
};
const SHOWN = {
  ...HTTP,
  headers: { authorization: "***", "x-key": "${KEY}", "x-two": "${A}${env:B}", "x-rest": "***" },
  autoApprove: "***",
};

const PROCESS = {
  command: "mcp-gh",
  args: ["stdio"],
  env: { GITHUB_TOKEN: "s3cret", LOG: "${LOG}" },
  cwd: "/srv/a",
};

describe("C2 secrets that are written out", () => {
  it("C2 are not shown, and given back they are kept", () => {
    expect(hideSecrets(HTTP)).toEqual(SHOWN);
    expect(revealSecrets(SHOWN, HTTP)).toEqual(HTTP);
    expect(revealSecrets(hideSecrets(PROCESS), PROCESS)).toEqual(PROCESS);
    expect(hideSecrets({ host: "h", port: 1, token: "abc" })).toEqual({ host: "h", port: 1, token: "***" });
  });

  it("C2 are kept where what changes says nothing of where they go", () => {
    const more = { description: "d", tags: ["t"], timeoutMs: 5, category: "c", pool: "p", eager: true };
    expect(revealSecrets({ ...SHOWN, ...more }, HTTP)).toEqual({ ...HTTP, ...more });
    const said = { ...hideSecrets(PROCESS), type: "stdio", autoApprove: ["a"] };
    expect(revealSecrets(said, PROCESS)).toEqual({ ...PROCESS, type: "stdio", autoApprove: ["a"] });
  });

  it("C2 are replaced by what is given for all of them", () => {
    const given = { ...PROCESS, cwd: "/srv/b", env: { GITHUB_TOKEN: "new" } };
    expect(revealSecrets(given, PROCESS)).toEqual(given);
  });

  it.each([
    ["a variable that was not there", { ...HTTP, headers: { other: "***" } }, "headers"],
    ["a token where there was none", { host: "h", port: 1, token: "***" }, "token"],
    ["a password where there was none", { url: "https://u:***@mcp.example/mcp" }, "url"],
    ["what means nothing and was not there", { ...HTTP, oauth: { clientSecret: "***" } }, "oauth"],
  ])("C2 %s cannot be kept", (_, given, field) => {
    for (const stored of [HTTP, null])
      expect(() => revealSecrets(given, stored)).toThrow(`${field}: *** keeps a secret that is there`);
  });

  it.each([
    ["url", "https://elsewhere.example/mcp"],
    ["type", "ws"],
    ["headers", { ...SHOWN.headers, host: "elsewhere.example" }],
  ])("C2 do not go to somebody else with another %s", (field, value) => {
    expect(() => revealSecrets({ ...SHOWN, [field]: value }, HTTP)).toThrow(/as long as nothing changes/);
  });

  it.each<[string, Record<string, unknown>]>([
    ["command", { command: "cat" }],
    ["argument", { args: ["-v"] }],
    ["folder", { cwd: "/tmp/mine" }],
    ["variable", { env: { GITHUB_TOKEN: "***", LOG: "${LOG}", GITHUB_HOST: "https://evil.example" } }],
    ["value of a variable", { env: { GITHUB_TOKEN: "***", LOG: "${OTHER}" } }],
    ["way", { container: "c", cwd: undefined }],
  ])("C2 do not go to somebody else with another %s of a process", (_, change) => {
    const { cwd: _cwd, ...rest } = PROCESS;
    const stored = "container" in change ? rest : PROCESS;
    const given = JSON.parse(JSON.stringify({ ...hideSecrets(stored), ...change }));
    expect(() => revealSecrets(given, stored)).toThrow(/^env: .*as long as nothing changes/);
  });

  it("C2 do not go to somebody else through the older system's endpoints", () => {
    const stored = { config: HTTP, agent_names: [], allowed_tools: ["*"], enabled: true };
    const said = (update: object) => updated(stored, ServerUpdate.parse(update)).config;
    const { type: _type, ...http } = HTTP;
    expect(said({ description: "d", agent_names: ["a"] })).toEqual({ ...http, description: "d" });
    expect(() => said({ http_url: "https://elsewhere.example/" })).toThrow(/^headers: /);
    const saidOf = (update: object) =>
      updated({ ...stored, config: PROCESS }, ServerUpdate.parse(update)).config;
    expect(saidOf({ description: "d" })).toEqual({ ...PROCESS, description: "d" });
    expect(saidOf({ env: { A: "b" } })).toEqual({ ...PROCESS, env: { A: "b" } });
    expect(() => saidOf({ command: ["cat"] })).toThrow(/^env: /);
  });

  it("C2 whatever else a field holds is hidden whole, and so is what means nothing", () => {
    expect(hideSecrets({ env: ["abc"], headers: "abc", token: { a: { b: "abc" } } })).toEqual({
      ...{ env: "***", headers: "***", token: { a: "***" } },
    });
    const other = {
      ...{ http_headers: { Authorization: "Bearer abc" }, requestInit: { headers: { A: "abc" } } },
      ...{ Headers: { A: "abc", B: "${B}" }, oauth: { clientSecret: "abc" }, pin: 1234, note: null },
    };
    expect(hideSecrets({ url: "https://h/mcp", ...other })).toEqual({
      ...{ url: "https://h/mcp", http_headers: { Authorization: "***" }, requestInit: { headers: "***" } },
      ...{ Headers: { A: "***", B: "${B}" }, oauth: { clientSecret: "***" }, pin: "***", note: null },
    });
    expect(hideSecrets({ command: "x", url: "https://u:abc@h/" })).toEqual({ command: "x", url: "***" });
    expect(hideSecrets({ nonsense: "abc", description: "d" })).toEqual({ nonsense: "***", description: "d" });
  });

  it.each([
    ["https://u:abc@h/mcp?api_key=abc&${A}&b=${B}&c", "https://***:***@h/mcp?api_key=***&${A}&b=${B}&***"],
    ["https://abc@h:1", "https://***@h:1"],
    ["https:abc:abc@h/", "https:***:***@h/"],
    ["https:/\t\\abc@h/", "https:/\t\\***@h/"],
    ["wss://${USER}:${PASSWORD}@${HOST:-h}/?x=${X}#f", "wss://${USER}:${PASSWORD}@${HOST:-h}/?x=***"],
    ["${SCHEME:-https}://u:abc@h/", "${SCHEME:-https}://***:***@h/"],
    ["https://u:${P:-abc}@h/", "https://***:***:***@h/"],
    ["${BASE:-https://u:abc@h}/mcp", "***"],
    ["https://h/${Q:-?key=abc}", "***"],
    ["https://h/@scope/a=b", "https://h/@scope/a=b"],
    ["https://h/?", "https://h/?"],
  ])("C2 of an address neither user nor password nor what its query says: %s", (url, shown) => {
    expect(hideSecrets({ type: "http", url })).toEqual({ type: "http", url: shown });
    expect(revealSecrets({ type: "http", url: shown }, { type: "http", url })).toEqual({ type: "http", url });
  });

  it("C2 an address of any length is looked through at once", () => {
    const url = `https://${"${".repeat(10_000)}${":@".repeat(10_000)}${"\\/:".repeat(10_000)}`;
    const startedMs = performance.now();
    hideSecrets({ url, type: "http" });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it("C2 names of variables that are Object's own are names like any other", () => {
    const config = { env: JSON.parse('{"__proto__": "abc", "constructor": "abc"}') };
    expect(JSON.stringify(hideSecrets(config))).toBe('{"env":{"__proto__":"***","constructor":"***"}}');
    expect(() => revealSecrets({ env: { toString: "***" } }, config)).toThrow("env");
    expect(() => revealSecrets({ constructor: "***" }, config)).toThrow("constructor");
  });
});
