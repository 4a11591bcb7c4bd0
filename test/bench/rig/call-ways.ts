/** Everything that calls of the benchmark's tool can go through, running at the same time; one is used at a time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { freePort } from "../../support/free-port.ts";
import { newSecret, type RunningGateway } from "../../support/gateway.ts";
import { installedPackage } from "../../support/installed-package.ts";
import { startSidecar } from "../../support/sidecar.ts";
import { startOnWorkerd } from "./bare-server.ts";
import type { Target } from "./call-crowd.ts";
import { Child } from "./child.ts";
import { ECHO, startTcpEcho } from "./echo-process.ts";
import { HOSTS } from "./hosts.ts";

const PEERS = { "mcp-proxy": "6.7.19", supergateway: "4.0.0" } as const;
const LISTENS_WITHIN_MS = 15_000;

/** `pids` are the processes on the way; servers that they start themselves are their children. */
export type Way = Target & { pids: Record<string, number> };
export type Ways = { ways: Record<string, Way>; stop(): Promise<void> };

/** Stops what was started, the last one first, whatever else happens. */
class Running {
  readonly #stops: (() => unknown)[] = [];

  add<T extends { stop(): unknown }>(one: T): T {
    this.#stops.unshift(() => one.stop());
    return one;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop();
  }
}

export async function startWays(): Promise<Ways> {
  const running = new Running();
  try {
    const ways = { ...(await hivegate(running)), ...(await peers(running)), ...(await bounds(running)) };
    return { ways, stop: () => running.stop() };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

/** Both hosts, to both kinds of server; and to one whose answers may be kept. */
async function hivegate(running: Running): Promise<Record<string, Way>> {
  const tcp = running.add(await startTcpEcho());
  const dir = await mkdtemp(join(tmpdir(), "hivegate-bench-"));
  running.add({ stop: () => rm(dir, { recursive: true, force: true }) });
  const keys = { bench: newSecret() };
  const sidecar = running.add(
    await startSidecar({
      env: {
        SIDECAR_KEYS: JSON.stringify(keys),
        SIDECAR_STATE_DIR: dir,
        SWARM_EXECUTOR: "process",
        ENABLE_MCP_TELEMETRY: "false",
        MCP_SERVERS: JSON.stringify([
          { name: "tcp", type: "tcp", host: "127.0.0.1", port: tcp.port },
          { name: "stdio", type: "stdio", command: ECHO[0], args: ECHO.slice(1) },
        ]),
        LOG_LEVEL: "warn",
      },
    }),
  );
  const ways: Record<string, Way> = {};
  for (const [host, { gateway: start }] of Object.entries(HOSTS)) {
    const gateway = running.add(await start({ sidecarUrl: sidecar.url, keys, env: UNLIMITED }));
    const token = await gateway.token();
    const pids = { gateway: gateway.pid, sidecar: sidecar.pid };
    const to = (server: string, rest: Partial<Target> = {}): Way => ({
      url: mcpUrl(gateway, server),
      ...{ token, tool: "echo", speaks: "2025", cache: null },
      pids: server === "tcp" ? { ...pids, server: tcp.pid } : pids,
      ...rest,
    });
    ways[`${host}, tcp`] = to("tcp");
    ways[`${host}, tcp, 2026`] = to("tcp", { speaks: "2026" });
    ways[`${host}, stdio`] = to("stdio");
    ways[`${host}, cached`] = to("tcp", { tool: "kept_echo", cache: "hit" });
  }
  return ways;
}

/** A client's rate is not what is measured. */
const UNLIMITED = { MCP_REQUESTS_PER_SECOND: "100000" };

const mcpUrl = ({ url }: RunningGateway, server: string): string => new URL(`/mcp/${server}`, url).href;

async function peers(running: Running): Promise<Record<string, Way>> {
  const ways: Record<string, Way> = {};
  for (const [name, version] of Object.entries(PEERS)) {
    const bin = join(await installedPackage(name, version), ".bin", name);
    const port = await freePort();
    const args =
      name === "mcp-proxy"
        ? ["--port", `${port}`, "--host", "127.0.0.1", "--server", "stream", "--", ...ECHO]
        : [
            ...["--stdio", ECHO.join(" "), "--outputTransport", "streamableHttp", "--stateful"],
            ...["--port", `${port}`, "--logLevel", "none"],
          ];
    const peer = running.add(await startPeer(bin, args, port));
    ways[name] = { ...bare(`http://127.0.0.1:${port}/mcp`, "2025"), pids: { [name]: peer.pid } };
  }
  return ways;
}

/** The most that can be reached, and what it was before. */
async function bounds(running: Running): Promise<Record<string, Way>> {
  const perRequest = running.add(new Child(new URL("./per-request-process.ts", import.meta.url)));
  const port = await perRequest.ask("start", { command: ECHO }, z.number());
  const answering = running.add(new Child(new URL("./bare-answer-process.ts", import.meta.url)));
  const answerPort = await answering.ask("start", {}, z.number());
  const forward = running.add(await startOnWorkerd(new URL("./forward-worker.js", import.meta.url)));
  const to = encodeURIComponent(`http://127.0.0.1:${answerPort}/`);
  return {
    floor: { ...bare(`${forward.url}/?to=${to}`, "plain"), pids: { worker: forward.pid } },
    "per request": { ...bare(`http://127.0.0.1:${port}/`, "plain"), pids: { server: perRequest.pid } },
  };
}

const bare = (url: string, speaks: Target["speaks"]): Target => ({
  ...{ url, speaks, token: null, tool: "echo", cache: null },
});

async function startPeer(bin: string, args: string[], port: number) {
  const child = spawn(process.execPath, [bin, ...args], { stdio: "ignore" });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 2_000);
    await exited;
    clearTimeout(timer);
  };
  const deadlineMs = performance.now() + LISTENS_WITHIN_MS;
  while (!(await answers(port))) {
    if (performance.now() > deadlineMs) throw new Error(`${bin} does not listen`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { pid: child.pid ?? 0, stop };
}

const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
