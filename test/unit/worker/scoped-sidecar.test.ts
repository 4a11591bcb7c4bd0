import { expect, it } from "vitest";
import type { Permission } from "../../../shared/auth/permission.ts";
import { ERRORS } from "../../../shared/errors.ts";
import { ScopedSidecar } from "../../../worker/scoped-sidecar.ts";
import { SidecarClient } from "../../../worker/sidecar-client.ts";
import { aTask } from "../../support/agents.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** What the sidecar is asked by a token that shows these swarms; it always tells of a task of swarm `a` and one of `c`. */
function scopedTo(swarmIds?: string[]) {
  const asked: string[] = [];
  const tasks = [aTask({ swarmId: "a" }), aTask({ swarmId: "c" })];
  const rest = { swarms: [], method: "process", telemetry: { status: "telemetry_unavailable" } };
  const client = new SidecarClient({
    ...{ hive: "default", url: "http://sidecar:9700", key: { kid: "k", mac: () => new Uint8Array(32) } },
    fetch: async (url) => {
      asked.push(url.slice("http://sidecar:9700".length));
      return Response.json({ tasks, ...rest });
    },
    ...{ sha256: () => new Uint8Array(32), clock: new ManualClock(), nonce: () => "nonce-0123456789" },
  });
  const scope = swarmIds === undefined ? {} : { swarm_ids: swarmIds };
  return { asked, sidecar: new ScopedSidecar(client, { scope, permissions: ["tasks:read"] }) };
}

it("S8 H4 a token's scope is asked for, so that newer tasks of others take no room, and is held to all the same", async () => {
  const { asked, sidecar } = scopedTo(["a", "b&c"]);
  expect((await sidecar.tasks()).map(({ swarmId }) => swarmId)).toEqual(["a"]);
  await sidecar.status();
  await sidecar.status("c");
  expect(asked).toEqual([
    "/v1/tasks?swarmId=a&swarmId=b%26c",
    "/v1/status?swarmId=a&swarmId=b%26c",
    "/v1/status?swarmId=c",
  ]);
});

it.each([
  [undefined, 2],
  [[], 0],
])("S8 H4 a token with the swarms %j sees %i of two tasks", async (swarmIds, count) => {
  const { asked, sidecar } = scopedTo(swarmIds);
  expect(await sidecar.tasks()).toHaveLength(count);
  expect(asked).toEqual(["/v1/tasks"]);
});

it.each<[Permission[], string, string]>([
  [["tasks:write", "tasks:read"], "find the leak", "It says: the leak is here."],
  [["tasks:write"], "", ERRORS.swarm_failed.advice],
])("S8 H4 a task that was stopped by a token with %j shows it '%s'", async (permissions, text, message) => {
  const error = { code: "swarm_failed", message: "It says: the leak is here." } as const;
  const task = aTask({ state: "failed", task: "find the leak", error });
  const client = new SidecarClient({
    ...{ hive: "default", url: "http://sidecar:9700", key: { kid: "k", mac: () => new Uint8Array(32) } },
    fetch: async () => Response.json({ task }),
    ...{ sha256: () => new Uint8Array(32), clock: new ManualClock(), nonce: () => "nonce-0123456789" },
  });
  const shown = await new ScopedSidecar(client, { scope: {}, permissions }).control(task.taskId, "stop");
  expect(shown).toEqual({ ...task, task: text, error: { ...error, message } });
});
