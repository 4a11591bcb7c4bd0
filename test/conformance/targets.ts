/** What the suite is run against: the reference server alone, and behind the gateway in each way there is. */
import { startDenoGateway } from "../support/deno-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio, startReferenceServer } from "../support/reference-server.ts";
import { startTokenProxy } from "../support/token-proxy.ts";
import { REVISIONS, type Revision } from "./suite.ts";

/** One URL to run the suite against; `name` says the edge's host and how the server is reached. */
export type Target = { name: string; url: string; revisions: readonly Revision[] };
export type Targets = { targets: Target[]; stop(): Promise<void> };

const EDGES = { workerd: startGateway, deno: startDenoGateway };
export type Edge = keyof typeof EDGES;

export async function startAlone(): Promise<Targets> {
  const { url, stop } = await startReferenceServer();
  return { targets: [{ name: "alone", url, revisions: REVISIONS }], stop };
}

/** An edge, its own sidecar, and behind that the server as a stdio child and over HTTP, of each era. */
export async function startChain(edge: Edge): Promise<Targets> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  const started = <T extends { stop(): Promise<unknown> }>(one: T): T => {
    stops.push(() => one.stop());
    return one;
  };
  try {
    const both = started(await startReferenceServer());
    const old = started(await startReferenceServer({ only2025: true }));
    const servers = [
      { name: "stdio", ...referenceStdio() },
      { name: "http", type: "http", url: both.url },
      { name: "stdio-2025", ...referenceStdio({ only2025: true }) },
      { name: "http-2025", type: "http", url: old.url },
    ];
    const { sidecar, keys } = started(await startMcpSidecar(servers));
    const gateway = await EDGES[edge]({ sidecarUrl: sidecar.url, keys });
    stops.push(() => gateway.kill("SIGKILL"));
    const proxy = started(await startTokenProxy({ url: gateway.url, token: await gateway.token() }));
    const targets = servers.map(({ name }) => ({
      name: `${edge} → ${name}`,
      url: `${proxy.url}/mcp/${name}`,
      // Alone, such a server passes nothing of what came after it.
      revisions: name.endsWith("2025") ? (["2025-11-25"] as const) : REVISIONS,
    }));
    return { targets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
