// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import { describe, expect, it } from "vitest";
import { hideSecrets, revealSecrets } from "../../../sidecar/config/hidden.ts";

const STORED = {
  type: "http",
  url: "https://mcp.example/mcp",
  headers: {
    authorization: "Bearer abc",
    "x-key": "${KEY}",
    "x-two": "${A}${env:B}",
    "x-rest": "${KEY:-abc}",
  },
  env: { PASSWORD: "abc", FROM: "${PASSWORD}" },
  token: "abc",
};

const SHOWN = {
  ...STORED,
  headers: { authorization: "***", "x-key": "${KEY}", "x-two": "${A}${env:B}", "x-rest": "***" },
  env: { PASSWORD: "***", FROM: "${PASSWORD}" },
  token: "***",
};

describe("C2 secrets that are written out", () => {
  it("C2 are not shown, and given back they are kept", () => {
    expect(hideSecrets(STORED)).toEqual(SHOWN);
    expect(revealSecrets(SHOWN, STORED)).toEqual(STORED);
  });

  it("C2 are replaced by what is given for them, one by one", () => {
    const given = { ...SHOWN, headers: { ...SHOWN.headers, authorization: "Bearer new" }, token: "${TOKEN}" };
    const stored = revealSecrets(given, STORED);
    expect(stored).toEqual({
      ...STORED,
      headers: { ...STORED.headers, authorization: "Bearer new" },
      token: "${TOKEN}",
    });
  });

  it.each([
    ["a variable that was not there", { ...SHOWN, env: { OTHER: "***" } }, "env.OTHER"],
    ["a token where there was none", { ...SHOWN, token: "***" }, "token"],
  ])("C2 %s cannot be kept", (_, given, place) => {
    const { token: _token, ...stored } = STORED;
    expect(() => revealSecrets(given, stored)).toThrow(
      `${place}: *** stands for a secret, and there is none.`,
    );
    expect(() => revealSecrets({ headers: { a: "***" } }, null)).toThrow("headers.a");
  });

  it.each([
    ["url", "https://elsewhere.example/mcp"],
    ["type", "streamable-http"],
    ["command", "cat"],
    ["args", ["-v"]],
    ["port", 1],
  ])("C2 do not go to somebody else with another %s", (field, value) => {
    expect(() => revealSecrets({ ...SHOWN, [field]: value }, STORED)).toThrow(/only as long as it goes/);
  });

  it("C2 whatever else a field holds is hidden whole", () => {
    expect(hideSecrets({ env: ["abc"], headers: "abc", token: { a: { b: "abc" } } })).toEqual({
      ...{ env: "***", headers: "***", token: { a: "***" } },
    });
  });

  it("C2 names of variables that are Object's own are names like any other", () => {
    const config = { env: JSON.parse('{"__proto__": "abc", "constructor": "abc"}') };
    expect(JSON.stringify(hideSecrets(config))).toBe('{"env":{"__proto__":"***","constructor":"***"}}');
    expect(() => revealSecrets({ env: { toString: "***" } }, config)).toThrow("env.toString");
  });
});
