import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../../worker/config.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const required = {
  HIVES: JSON.stringify({ default: { url: "http://127.0.0.1:9700", kid: "k" } }),
  SIDECAR_KEYS: JSON.stringify({ k: key }),
  JWT_SECRET: key,
};

describe("the relay's settings", () => {
  it("R5 have defaults, and add roles to the built-in ones", () => {
    expect(readConfig(required).relay).toMatchObject({ redact: "both", messagesPerSecond: 500 });
    const RELAY_ROLES = JSON.stringify({ auditor: { send: [], receive: ["*"] } });
    const { roles } = readConfig({ ...required, RELAY_ROLES }).relay;
    expect(Object.keys(roles)).toEqual(["viewer", "operator", "auditor"]);
    expect(roles.auditor).toEqual({ send: [], receive: ["*"], dedicated: false });
  });

  it.each([
    ["RELAY_ROLES", "{"],
    ["RELAY_ROLES", '{"a":{"send":["*"]}}'],
    ["RELAY_ROLES", '{"a":{"send":["*"],"receive":[],"sends":[]}}'],
    ["RELAY_REDACT", "some"],
    ["RELAY_MESSAGES_PER_SECOND", "0"],
    ["RELAY_MESSAGES_PER_SECOND", "many"],
  ])("R5 stop the start with one line: %s=%s", (name, value) => {
    const read = () => readConfig({ ...required, [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(new RegExp(`^${name}[^\n]*$`));
  });
});
