import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Lists, offering } from "./scripted-upstream.ts";
import { registryOf } from "./setup.ts";

const NAMES = ["a", "b"] as const;

describe("the registry's version", () => {
  it("T2 T3 is never the same for two different answers, whatever servers do", async () => {
    const kind = fc.constantFrom("change", "say", "update", "drop", "fail", "return", "ask");
    const step = fc.record({ kind, server: fc.constantFrom(0, 1), tool: fc.constantFrom("x", "y", "z") });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const lists: Lists[] = NAMES.map(() => ({ tools: [] }));
        const servers = NAMES.map((name, index) => offering(name, lists[index] ?? {}));
        const { registry } = registryOf(servers);
        const told = new Map<string, string>();
        for (const { kind, server: index, tool } of steps) {
          const [server, list] = [servers[index], lists[index]];
          if (!server || !list) continue;
          if (kind === "change") list.tools = [{ name: tool }];
          if (kind === "say") server.say("notifications/tools/list_changed");
          if (kind === "update") server.say("notifications/resources/updated", { uri: "x:y" });
          if (kind === "drop") server.drop();
          if (kind === "fail") server.fail();
          if (kind === "return") server.isDown = false;
          if (kind !== "ask") continue;
          const { version, servers: known } = await registry.answer({});
          expect(version).toBe(registry.version);
          const text = JSON.stringify(known);
          expect(told.get(version) ?? text).toBe(text);
          told.set(version, text);
        }
        // Whoever keeps what it was told as long as the version is the same is told what there is.
        for (const server of servers) server.isDown = false;
        for (const server of servers) server.say("notifications/tools/list_changed");
        const { servers: last } = await registry.answer({});
        expect(last.map(({ tools }) => tools.map(({ name }) => ({ name })))).toEqual(
          lists.map(({ tools }) => tools),
        );
      }),
    );
  });
});
