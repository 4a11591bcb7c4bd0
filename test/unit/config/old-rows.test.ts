import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigEntry } from "../../../sidecar/config/entry.ts";
import { fingerprintOf } from "../../../sidecar/config/fingerprint.ts";
import { canHold } from "../../../sidecar/config/old/plan.ts";
import { OldServer, type OldValues } from "../../../sidecar/config/old/row.ts";
import { entryOf, normalEntry, valuesOf } from "../../../sidecar/config/old/rows.ts";

/** `${HOME}`, which is no template here. */
const place = (inside: string) => `$\{${inside}}`;
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0")),
  fc.constantFrom(
    place("HOME"),
    `$${place("HOME")}`,
    "$$${",
    "$",
    "${",
    "}",
    "__proto__",
    `npx -y ${place("A:-b")}`,
  ),
);
const name = fc.constantFrom("files", "brave-search", "GitHub", "my.server");
const common = {
  name,
  description: fc.option(text),
  env: fc.dictionary(fc.constantFrom("TOKEN", "A", "B_2"), text),
  auto_start: fc.boolean(),
  max_retries: fc.integer({ min: -5, max: 2 ** 31 - 1 }),
  timeout_seconds: fc.integer({ min: -5, max: 2 ** 31 - 1 }),
  tags: fc.array(text, { maxLength: 3 }),
  priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  enabled: fc.boolean(),
};
const argv = fc
  .tuple(text, fc.array(text, { maxLength: 3 }))
  .map(([command, args]): string[] => [command || "sh", ...args]);
const url = fc.constantFrom("https://example.com/mcp", `http://127.0.0.1:1/${place("x")}?a=$${place("b")}`);

const row: fc.Arbitrary<OldValues> = fc.oneof(
  fc.record({
    ...common,
    server_type: fc.constant("stdio" as const),
    command: argv,
    http_url: fc.option(url),
  }),
  fc.record({
    ...common,
    server_type: fc.constant("http" as const),
    command: fc.oneof(fc.constant<string[]>([]), argv),
    http_url: url,
  }),
);

/** As SQLite gives it, or as PostgreSQL's texts are. */
const asSqlite = ({ command, env, tags, auto_start, enabled, ...plain }: OldValues) => ({
  ...plain,
  id: 1,
  command: command.length === 0 ? null : JSON.stringify(command),
  env: JSON.stringify(env),
  tags: JSON.stringify(tags),
  auto_start: Number(auto_start),
  enabled: Number(enabled),
});
const asTexts = (values: OldValues) =>
  Object.fromEntries(
    Object.entries(asSqlite(values)).map(([column, value]) => [
      column,
      column === "enabled" || column === "auto_start"
        ? String(value === 1)
        : value === null
          ? null
          : String(value),
    ]),
  );

describe("a row of the older system", () => {
  it("C4 comes back from an entry as it was, whichever database it is from", () => {
    fc.assert(
      fc.property(row, (values) => {
        for (const read of [asSqlite(values), asTexts(values)]) {
          const { id: _, ...back } = OldServer.parse(read);
          expect(back).toEqual(values);
          expect(valuesOf(entryOf(back, []))).toEqual(values);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("C4 makes an entry that is its own normal form, so that both places have the same fingerprint", () => {
    fc.assert(
      fc.property(row, fc.array(fc.constantFrom("a", "b", "c")), (values, agents) => {
        const entry = entryOf(values, agents);
        expect(normalEntry(entry)).toEqual(entry);
        const again = valuesOf(entry);
        if ("lacks" in again) throw new Error(again.lacks);
        expect(fingerprintOf([entryOf(again, entry.agent_names)])).toEqual(fingerprintOf([entry]));
      }),
    );
  });

  it("C4 keeps a command that was wrapped for a shell, to the letter", () => {
    const wrapped = ["/usr/bin/bash", "-c", "npx -y server /path"];
    const values = OldServer.parse({ ...asSqlite(fc.sample(row, 1)[0] ?? never()), server_type: "stdio" });
    const { config } = entryOf({ ...values, command: wrapped, http_url: null }, []);
    expect(config).toMatchObject({ command: "/usr/bin/bash", args: ["-c", "npx -y server /path"] });
  });

  it("C4 may have nothing where JSON is wanted", () => {
    const values = OldServer.parse({
      ...asSqlite(fc.sample(row, 1)[0] ?? never()),
      command: null,
      env: "",
      tags: "null",
    });
    expect(values).toMatchObject({ command: [], env: {}, tags: [] });
  });
});

const plain: ConfigEntry = {
  name: "a",
  config: { command: "server" },
  agent_names: [],
  allowed_tools: ["*"],
  enabled: true,
};

describe("an entry", () => {
  const held = (config: Record<string, unknown>, rest: Partial<ConfigEntry> = {}) =>
    canHold({ ...plain, config, ...rest });

  it("C4 that the older tables have no place for is refused with what to do", () => {
    const table: [Record<string, unknown>, Partial<ConfigEntry>, string][] = [
      [{ command: "a" }, { allowed_tools: ["read_*"] }, "allowed_tools"],
      [{ host: "h", port: 1 }, {}, "host"],
      [{ url: "ws://h" }, {}, "http://"],
      [{ command: "a", container: "c" }, {}, "container"],
      [{ command: "a", cwd: "/" }, {}, "cwd"],
      [{ command: "a", env: { A: place("TOKEN") } }, {}, "variables"],
      [{ url: `http://h/${"x".repeat(500)}` }, {}, "500"],
      [{ command: "a", priority: 2 ** 31 }, {}, "priority"],
      [{ command: "a", args: ["\0"] }, {}, "args"],
      [{}, {}, "url"],
      [{ type: "stdio" }, {}, "command"],
    ];
    for (const [config, rest, word] of table) {
      const why = held(config, rest);
      expect(why).toContain(word);
      expect(why).toContain("MCP_MIGRATION_MODE=full");
    }
  });

  it("C4 that says what is so anyway has the same normal form as one that does not", () => {
    const said = {
      type: "stdio",
      command: "server",
      args: [],
      env: {},
      tags: [],
      priority: 0,
      maxRetries: 3,
      timeoutSeconds: 30,
      autoStart: true,
    };
    expect(normalEntry({ ...plain, config: said })).toEqual(plain);
    expect(held(said)).toBeNull();
    expect(normalEntry({ ...plain, config: { type: "streamable-http", url: "http://h" } }).config).toEqual({
      url: "http://h",
    });
    expect(normalEntry({ ...plain, config: { type: "ws", url: "ws://h" } }).config).toHaveProperty("type");
  });
});

function never(): never {
  throw new Error("fast-check gave nothing");
}
