import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { LogLevels } from "../../../../sidecar/mcp/endpoint/log-levels.ts";
import { JoinedServers } from "../../../../sidecar/mcp/registry/joined-servers.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { legacy } from "../../../support/mcp-messages.ts";
import { registryOf } from "../mcp-registry/setup.ts";
import { initialize, send, setUp } from "./setup.ts";

function wanting() {
  const upstream = new FakeUpstream("2025", () => ({ result: {} }));
  const levels = new LogLevels();
  const want = (level: string, client = "alice") => levels.want(level, upstream, client);
  const told = () => upstream.asked.map(({ params }) => params.level);
  return { upstream, levels, want, told };
}

describe("the log level of a server of 2025", () => {
  it("T1 is the lowest that anybody wants, also when they say so at the same time", async () => {
    const { want, told } = wanting();
    await Promise.all([want("debug"), want("error", "bob"), want("debug", "carol")]);
    expect(told()).toEqual(["debug"]);
    const other = wanting();
    await Promise.all([other.want("error"), other.want("debug", "bob"), other.want("info", "carol")]);
    expect(other.told()).toEqual(["error", "debug"]);
  });

  it("T1 is what everybody wanted before, on a new connection, whatever is wanted there", async () => {
    const { upstream, want, told } = wanting();
    await want("debug");
    upstream.connections++;
    await want("error", "bob");
    expect(told()).toEqual(["debug", "debug"]);
  });

  it("T1 is set again before anything else is asked on a new connection, once", async () => {
    const { upstream, told } = wanting();
    const setup = setUp(upstream);
    const session = await initialize(setup);
    await send(setup, legacy(session, "logging/setLevel", { level: "info" }));
    upstream.drop();
    for (let call = 0; call < 2; call++) await send(setup, legacy(session, "tools/call", { name: "a" }));
    const methods = upstream.asked.map(({ method }) => method);
    expect(methods).toEqual(["logging/setLevel", "logging/setLevel", "tools/call", "tools/call"]);
    expect(told().slice(0, 2)).toEqual(["info", "info"]);
  });

  it("T1 keeps no call from a server that does not take it again", async () => {
    const { upstream, levels, want } = wanting();
    await want("info");
    upstream.play = () => Promise.reject(new HivegateError("timeout"));
    upstream.connections++;
    await levels.renewed(upstream, upstream.facts, "bob");
    expect(levels.renewed(upstream, upstream.facts, "bob")).toBeNull();
    upstream.connections++;
    expect(levels.renewed(upstream, upstream.facts, "bob")).not.toBeNull();
  });

  it("T1 is refused to all who share the answer, and asked for again by the next", async () => {
    const { upstream, want, told } = wanting();
    const error = { code: -32602, message: "no" };
    upstream.play = () => ({ error });
    expect(await Promise.all([want("info"), want("info", "bob")])).toEqual([error, error]);
    upstream.play = () => ({ result: {} });
    expect(await want("info")).toBeNull();
    expect(told()).toEqual(["info", "info"]);
  });

  it("T2 is the same whether it is set by the server's own address or by that of all, were one of them frozen", async () => {
    const lists = { tools: [], resources: [], resourceTemplates: [] };
    const one = new FakeUpstream("2025", () => ({ result: lists }), {}, "one");
    const frozen = new FakeUpstream("2025", () => ({ result: lists }), {}, "frozen");
    const { registry } = registryOf([one, frozen]);
    await registry.upToDate();
    const opened: (number | undefined)[] = [];
    frozen.opened = ({ timeoutMs }) => {
      opened.push(timeoutMs);
      return Promise.reject(new HivegateError("mcp_unavailable"));
    };
    const levels = new LogLevels();
    await levels.want("debug", one, "alice");
    expect(await levels.want("error", new JoinedServers(registry, "1"), "bob")).toBeNull();
    const set = one.asked.filter(({ method }) => method === "logging/setLevel");
    expect(set.map(({ params }) => params.level)).toEqual(["debug"]);
    expect(opened).toEqual([LIMITS.mcpLogLevelMs]);
  });

  it("S6 is waited for no longer than its limit", async () => {
    const { upstream, want } = wanting();
    const limits: (number | undefined)[] = [];
    upstream.play = (_, { timeoutMs }) => {
      limits.push(timeoutMs);
      throw new HivegateError("timeout");
    };
    await expect(want("info")).rejects.toMatchObject({ code: "timeout" });
    expect(limits).toEqual([LIMITS.mcpLogLevelMs]);
  });
});
