import { afterEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import type { Profile } from "../../../sidecar/swarm/profiles/profile.ts";
import { SwarmCli } from "../../../sidecar/swarm/tasks-cli.ts";
import { FakeExecutor, fakeProfile, succeeded } from "../sidecar/fakes.ts";

const TIMEOUT_MS = 1_000;

function cliWith(profile: Partial<Profile>) {
  const executor = new FakeExecutor();
  const options = { executor, profile: fakeProfile(profile), cli: ["cli"], timeoutMs: TIMEOUT_MS };
  return { executor, cli: new SwarmCli(options) };
}

describe("a swarm that has to be made ready", () => {
  /** A container in which `init` was run, or not. */
  function container() {
    const swarm = cliWith({
      prepare: { check: ["check"], isReady: ({ stdout }) => stdout === "ready", argv: ["init"] },
    });
    const state = { isReady: false };
    swarm.executor.answer = async (argv) => {
      if (argv.includes("init")) state.isReady = true;
      return succeeded(state.isReady ? "ready" : "");
    };
    const inits = () => swarm.executor.commands.filter((argv) => argv.includes("init")).length;
    return { ...swarm, state, inits };
  }

  it("H1 is made ready once, by the first task", async () => {
    const { cli, executor, inits } = container();
    await Promise.all([cli.prepare(), cli.prepare()]);
    const asked = executor.commands.length;
    await cli.prepare();
    expect(inits()).toBe(1);
    expect(executor.commands).toHaveLength(asked);
  });

  it("H1 is made ready anew when its container was, once a task has failed", async () => {
    const { cli, state, inits } = container();
    await cli.prepare();
    state.isReady = false;
    cli.forgetPrepared();
    await cli.prepare();
    expect(inits()).toBe(2);
    cli.forgetPrepared();
    await cli.prepare();
    expect(inits()).toBe(2);
  });

  it("H1 is tried again after a failure", async () => {
    const { cli, executor, inits } = container();
    const { answer } = executor;
    executor.answer = async () => succeeded("");
    await expect(cli.prepare()).rejects.toMatchObject({ code: "swarm_failed" });
    executor.answer = answer;
    await cli.prepare();
    expect(inits()).toBe(2);
  });
});

describe("a swarm that somebody asks about", () => {
  /** What each command that is under way answers with, in the order of their beginnings. */
  function slowCli(profile: Partial<Profile> = {}) {
    const { cli, executor } = cliWith(profile);
    const running: ((stdout: string) => void)[] = [];
    executor.answer = () => new Promise((resolve) => running.push((stdout) => resolve(succeeded(stdout))));
    return { cli, running };
  }

  it("H4 is asked once for all who want to know at the same time", async () => {
    const { cli, running } = slowCli();
    const asked = Promise.all([cli.swarms(), cli.swarms()]);
    await vi.waitFor(() => expect(running).toHaveLength(1));
    running[0]?.("s-1\n");
    expect((await asked).map((swarms) => swarms.length)).toEqual([1, 1]);
  });

  it("H9 is asked anew by a task that ended after it was asked", async () => {
    const { cli, running } = slowCli();
    const before = cli.swarms();
    const after = cli.swarm({ taskId: "t-1", swarmId: "s-1" });
    await vi.waitFor(() => expect(running).toHaveLength(2));
    running[0]?.("");
    running[1]?.("s-1\n");
    expect(await before).toEqual([]);
    expect(await after).toMatchObject({ swarmId: "s-1" });
  });

  it("H1 is ready although what somebody asked before says that it was not", async () => {
    const { list } = fakeProfile();
    const { cli, running } = slowCli({
      prepare: { check: ["list"], isReady: ({ stdout }) => stdout === "ready", argv: ["init"] },
      list,
    });
    const before = cli.swarms();
    const preparing = cli.prepare();
    await vi.waitFor(() => expect(running).toHaveLength(2));
    running[1]?.("ready");
    await preparing;
    running[0]?.("");
    expect(await before).toEqual([]);
  });
});

describe("many commands of a swarm's CLI", () => {
  afterEach(() => vi.useRealTimers());

  /** A CLI with a command to stop each swarm, which runs until `endOne` ends the oldest. */
  function busyCli() {
    const running: ((result: CommandResult) => void)[] = [];
    const { cli, executor } = cliWith({
      controls: {
        stop: { argv: (cli, swarmId) => [...cli, "stop", swarmId], succeeded: () => true },
        pause: null,
        resume: null,
      },
    });
    executor.answer = () => {
      const { promise, resolve } = Promise.withResolvers<CommandResult>();
      running.push(resolve);
      return promise;
    };
    const ask = (count: number) => Array.from({ length: count }, (_, i) => cli.control("stop", `s-${i}`));
    return { ask, running, endOne: () => running.shift()?.(succeeded("")) };
  }
  const settled = () => vi.advanceTimersByTimeAsync(0);

  it("S6 run a few at once, the others in their turn", async () => {
    vi.useFakeTimers();
    const { ask, running, endOne } = busyCli();
    const asked = Promise.all(ask(3 * LIMITS.swarmCommands));
    for (let left = 3 * LIMITS.swarmCommands; left > 0; left--) {
      await settled();
      expect(running).toHaveLength(Math.min(left, LIMITS.swarmCommands));
      endOne();
    }
    expect(await asked).toHaveLength(3 * LIMITS.swarmCommands);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S6 are refused when too many wait, or one waits for too long, and run again later", async () => {
    vi.useFakeTimers();
    const { ask, running, endOne } = busyCli();
    const refused: unknown[] = [];
    for (const answer of ask(LIMITS.swarmCommands + LIMITS.waitingSwarmCommands + 1)) {
      answer.catch((reason) => refused.push(reason));
    }
    await settled();
    expect(refused).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(refused).toHaveLength(LIMITS.waitingSwarmCommands + 1);
    for (const reason of refused) expect(reason).toMatchObject({ code: "overloaded" });
    expect(running).toHaveLength(LIMITS.swarmCommands);
    while (running.length > 0) endOne();
    await settled();

    const later = Promise.all(ask(LIMITS.swarmCommands));
    await settled();
    expect(running).toHaveLength(LIMITS.swarmCommands);
    while (running.length > 0) endOne();
    await later;
  });
});
