import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import type { ConfigEdit } from "../../../sidecar/config/entry.ts";
import { parseConfigFile } from "../../../sidecar/config/file/parse.ts";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { configEntry } from "../../support/config-entry.ts";
import { FakeFile, liveConfigs, serve } from "./live-configs-parts.ts";

const textOf = (servers: object) => JSON.stringify({ mcpServers: servers });
const parsed = (servers: object) => {
  const file = parseConfigFile(textOf(servers));
  if (!file.ok) throw new Error(file.problem.message);
  return file;
};

it("C1 a text is parsed once, and what did not change in the next one is the same object", () => {
  const before = parsed({ one: serve(1), two: serve(1), three: serve(1) });
  expect(parsed({ one: serve(1), two: serve(1), three: serve(1) })).toBe(before);
  const after = parsed({ three: serve(1), two: { ...serve(2), autoApprove: [] }, one: serve(1) });
  expect(after.entries.map(({ name }) => name)).toEqual(["three", "two", "one"]);
  expect(after.entries[0]).toBe(before.entries[2]);
  expect(after.entries[2]).toBe(before.entries[0]);
  expect(after.entries[1]?.config).toEqual({ ...serve(2), autoApprove: [] });
  const again = parsed({ two: { ...serve(2), autoApprove: [] } });
  expect(again.entries[0]).toBe(after.entries[1]);
  expect(again.warnings).toHaveLength(1);
  expect(parseConfigFile(textOf({ two: { command: 5 } }))).toMatchObject({ ok: false });
  expect(parsed({ two: { ...serve(2), autoApprove: [] }, x: serve(1) }).entries[0]).toBe(after.entries[1]);
});

it("C1 neither compares nor makes anew what one edit left alone", async () => {
  const file = new FakeFile();
  const servers = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`s${n}`, serve(n)]));
  file.edit(servers);
  const { configs, store, applied } = await liveConfigs({ file });
  const [entries, running] = [store.entries, applied.at(-1) ?? []];
  file.edit({ ...servers, s7: serve(100) });
  expect(await configs.reload("anna")).toMatchObject({ added: [], changed: ["s7"], removed: [] });
  const isSame = [...store.entries].map(([name, entry]) => entry === entries.get(name));
  expect(isSame.filter((same) => !same)).toHaveLength(1);
  const same = (applied.at(-1) ?? []).filter((server, n) => server === running[n]);
  expect(same).toHaveLength(49);
});

it("C3 what is remembered over writes is what is stored, in its order", () => {
  const directory = mkdtempSync(join(tmpdir(), "unchanged-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  let count = 0;
  const edit = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    version: fc.integer({ min: 0, max: 2 }),
    kind: fc.constantFrom("set", "limited", "remove", "fail"),
  });
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(edit, { selector: ({ name }) => name }), { maxLength: 8 }),
      (writes) => {
        const store = new ConfigStore(join(directory, `${count++}.db`));
        for (const edits of writes) {
          const made: ConfigEdit[] = edits.map(({ name, version, kind }) => ({
            name,
            entry: kind === "remove" ? null : configEntry(name, version),
          }));
          const limited = new Set(edits.filter(({ kind }) => kind === "limited").map(({ name }) => name));
          const fails = edits.some(({ kind }) => kind === "fail");
          const also = () => {
            if (fails) throw new Error("not now");
          };
          const write = () => store.write(made, { by: "ada", source: "api" }, { nowMs: 1, limited, also });
          if (fails) expect(write).toThrow("not now");
          else write();
        }
        const fresh = new ConfigStore(store.file);
        expect([...store.entries]).toEqual([...fresh.entries]);
        expect([...store.limited].sort()).toEqual([...fresh.limited].sort());
        expect(store.list()).toEqual(fresh.list());
        store.close();
        fresh.close();
      },
    ),
    { numRuns: 60 },
  );
});
