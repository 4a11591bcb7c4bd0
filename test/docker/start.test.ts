import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker, dockerAvailable } from "../support/docker.ts";
import { npmStart, startEnv } from "../support/npm-start.ts";

describe.skipIf(!(await dockerAvailable()))("npm start -- --docker", () => {
  let env: Record<string, string>;
  let clean: () => Promise<void>;
  beforeAll(async () => {
    ({ env, clean } = await startEnv());
  });
  afterAll(() => clean());

  it("U3 H1 runs tasks in a container that it made, and removes the container on Ctrl-C", async () => {
    const { child, exited, until } = npmStart(env, ["--docker"]);
    const [, url = "", token = ""] = await until(/Page {4}(http:\S+)\/#token=(\S+)/);
    await until(/Ctrl-C stops everything/);
    const response = await fetch(`${url}/v1/hives/default/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ task: "count primes below 1000" }),
    });
    expect(await response.json()).toMatchObject({ success: true, method: "docker-exec" });
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    await expect(docker.getContainer("hivegate-demo").inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it("H8 says in one line that a container named by MULTI_AGENT_CONTAINER_NAME is not there", async () => {
    const { exited, output } = npmStart({ ...env, MULTI_AGENT_CONTAINER_NAME: "no-such-container" }, [
      "--docker",
    ]);
    expect(await exited).toBe(1);
    expect(output().trim()).toBe(
      "hivegate: MULTI_AGENT_CONTAINER_NAME: there is no container no-such-container",
    );
  });
});
