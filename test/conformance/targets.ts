/** What the suite is run against: the reference server alone, and behind the gateway in each way there is. */
import { startDenoGateway } from "../support/deno-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio, startReferenceServer } from "../support/reference-server.ts";
import { startTokenProxy } from "../support/token-proxy.ts";
import { REVISIONS, type Revision } from "./suite.ts";

/** One URL to run the suite against; `name` says the edge's host and how the server is reached. */
export type Target = { name: string; url: string; revisions: readonly Revision[] };
export type Targets = { alone: string; behind: Target[]; stop(): Promise<void> };

const EDGES = { workerd: startGateway, deno: startDenoGateway };
export type Edge = keyof typeof EDGES;

/** One sidecar with the server as a stdio child and over HTTP, of each era, and before it each of the edges. */
export async function startTargets(edges: readonly Edge[]): Promise<Targets> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const reference = await startReferenceServer();
    stops.push(reference.stop);
    const old = await startReferenceServer({ only2025: true });
    stops.push(old.stop);
    const servers = [
      { name: "stdio", ...referenceStdio() },
      { name: "http", type: "http", url: reference.url },
      { name: "stdio-2025", ...referenceStdio({ only2025: true }) },
      { name: "http-2025", type: "http", url: old.url },
    ];
    const { sidecar, keys, stop: stopSidecar } = await startMcpSidecar(servers);
    stops.push(stopSidecar);

    const behind: Target[] = [];
    for (const edge of edges) {
      const gateway = await EDGES[edge]({ sidecarUrl: sidecar.url, keys });
      stops.push(() => gateway.kill("SIGKILL"));
      const proxy = await startTokenProxy({ url: gateway.url, token: await gateway.token() });
      stops.push(proxy.stop);
      for (const { name } of servers)
        behind.push({
          name: `${edge} → ${name}`,
          url: `${proxy.url}/mcp/${name}`,
          // Alone, such a server passes nothing of what came after it.
          revisions: name.endsWith("2025") ? ["2025-11-25"] : REVISIONS,
        });
    }
    return { alone: reference.url, behind, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
