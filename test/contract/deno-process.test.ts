/** What only a process has that is started and stopped by hand: Cloudflare starts and stops the other host itself. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { aTask } from "../support/agents.ts";
import { spawnDeno, startDenoGateway } from "../support/deno-gateway.ts";
import { FakeSidecar } from "../support/fake-sidecar-server.ts";
import { newSecret } from "../support/gateway.ts";
import { connect } from "./client.ts";

it("U4 the Deno gateway sends its clients away when it is stopped, and is gone within two seconds", async () => {
  const { taskId } = aTask();
  const event: TaskEvent = {
    ...{ kind: "output", taskId, seq: 1, timestamp: 1, stream: "stdout", text: "begun" },
  };
  const sidecar = new FakeSidecar();
  await sidecar.start();
  onTestFinished(() => sidecar.stop());
  sidecar.follow(taskId, async function* () {
    yield event;
    await new Promise(() => {});
  });
  const gateway = await startDenoGateway({ sidecarUrl: sidecar.url, keys: sidecar.keys });
  const token = await gateway.token();
  const stream = await connect(gateway.url, { token });
  const relay = await connect(gateway.url, { token, kind: "relay" });
  const deaf = await connect(gateway.url, { token });
  await Promise.all([stream.next("snapshot"), relay.next("welcome"), deaf.next("snapshot")]);
  deaf.pause();
  // An event stream that never ends by itself does not hold it up either.
  const events = await fetch(`${gateway.url}/v1/hives/default/tasks/${taskId}/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const broken = events.text().then(
    () => "ended",
    () => "broken off",
  );

  const stopMs = Date.now();
  const exitCode = gateway.kill("SIGTERM");
  expect(await Promise.all([stream.closed, relay.closed])).toEqual([4004, 4004]);
  expect(await exitCode).toBe(0);
  expect(Date.now() - stopMs).toBeLessThan(2_000);
  expect(await broken).toBe("broken off");
  deaf.read();
  await deaf.closed;
});

it("U4 H8 the Deno gateway ends with one line that names what is wrong, and exit code 1", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "hivegate-contract-"));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const secret = newSecret();
  const good = {
    PATH: process.env.PATH,
    HIVES: '{"default":{"url":"http://127.0.0.1:9700","kid":"k"}}',
    SIDECAR_KEYS: JSON.stringify({ k: secret }),
    JWT_SECRET: secret,
    PORT: "0",
    GATEWAY_STATE_DIR: stateDir,
  };
  const sidecar = new FakeSidecar();
  await sidecar.start();
  onTestFinished(() => sidecar.stop());
  const cases: [Record<string, string>, RegExp][] = [
    [{ HIVES: "" }, /^hivegate: HIVES: /],
    [{ SIDECAR_KEYS: "{}" }, /^hivegate: SIDECAR_KEYS: /],
    [{ JWT_SECRET: "short" }, /^hivegate: JWT_SECRET: /],
    [{ PORT: "http" }, /^hivegate: PORT: /],
    [{ PORT: new URL(sidecar.url).port }, /^hivegate: PORT: .* is in use: /],
    [{ HOST: "192.0.2.1" }, /^hivegate: HOST, PORT: /],
    [{ GATEWAY_STATE_DIR: "/dev/null/x" }, /^hivegate: GATEWAY_STATE_DIR: /],
  ];
  for (const [change, says] of cases) {
    const child = await spawnDeno({ ...good, ...change });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    expect(await once(child, "close")).toEqual([1, null]);
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(said).toMatch(says);
    expect(said).not.toContain(secret);
  }
});
