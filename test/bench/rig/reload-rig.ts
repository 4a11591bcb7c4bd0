/** A sidecar whose file of MCP servers is written anew, gateways before it, who calls tools, and who watches. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause, platformClock } from "../../../shared/clock.ts";
import { ConfigItem, ConfigStatus, ReloadAnswer } from "../../../shared/protocol/config.ts";
import { newSecret, type RunningGateway } from "../../support/gateway.ts";
import { type Sidecar, startSidecar } from "../../support/sidecar.ts";
import { Crowd, clientsOf } from "./crowd.ts";
import { ECHO, startTcpEcho } from "./echo-process.ts";
import { HOST_NAMES, HOSTS, type HostName } from "./hosts.ts";
import { connectionsTo, descriptorCount, familyBytes, processCount } from "./process-cost.ts";
import { type LoadReport, type LoadRequest, RequestLoad } from "./request-load.ts";

/** `liveMs`: from the file being there until the last client had heard of it. */
export type Reloaded = { isWatched: boolean; liveMs: number };
/** Of the sidecar. `sockets`: to the MCP servers over TCP; `descriptors`: all that it has open. */
export type Held = { processes: number; sockets: number; descriptors: number; memoryMiB: number };

type Running = {
  dir: string;
  sidecar: Sidecar;
  gateways: Record<HostName, RunningGateway>;
  crowd: Crowd;
  load: RequestLoad;
  ports: { still: number; left: number; right: number };
  stop(): Promise<void>;
};

const API = "/api/v1/mcp";
const API_SUBJECTS = 20;
const WITHIN_MS = 20_000;
const SETTLES_WITHIN_MS = 30_000;
const LOOK_MS = 250;
const MIB = 1024 * 1024;
/** What calls are made of, all the time: nothing of the first one ever changes, the others are replaced again and again. */
const CALLED = ["still", "moving", "process"];

export class ReloadRig {
  readonly #running: Running;
  #revision = 0;

  private constructor(running: Running) {
    this.#running = running;
  }

  static async start({ clients }: { clients: number }): Promise<ReloadRig> {
    const stops: (() => unknown)[] = [];
    const stop = async () => {
      for (const one of stops.reverse()) await one();
    };
    try {
      const dir = await mkdtemp(join(tmpdir(), "hivegate-reload-"));
      stops.push(() => rm(dir, { recursive: true, force: true }));
      const servers = await Promise.all([startTcpEcho(), startTcpEcho(), startTcpEcho()]);
      for (const server of servers) stops.push(() => server.stop());
      const [still, left, right] = servers.map(({ port }) => port);
      const ports = { still: still ?? 0, left: left ?? 0, right: right ?? 0 };
      await write(dir, configOf(0, ports));
      const keys = { bench: newSecret() };
      const sidecar = await startSidecar({
        env: {
          SIDECAR_KEYS: JSON.stringify(keys),
          SIDECAR_STATE_DIR: dir,
          SWARM_EXECUTOR: "process",
          MCP_CONFIG_FILE: fileIn(dir),
          MCP_API_COMMANDS: "*",
          LOG_LEVEL: "warn",
        },
      });
      stops.push(() => sidecar.stop());
      const gatewayOf = async (host: HostName) => {
        const gateway = await HOSTS[host].gateway({ sidecarUrl: sidecar.url, keys, env: UNLIMITED });
        stops.push(() => gateway.stop());
        return gateway;
      };
      const gateways = { workerd: await gatewayOf("workerd"), deno: await gatewayOf("deno") };
      const [crowd, load] = [new Crowd(), new RequestLoad()];
      stops.push(
        () => crowd.stop(),
        () => load.stop(),
      );
      const half = Math.ceil(clients / 2);
      await crowd.connect("all", await clientsOf(gateways.workerd, half, [{}]));
      await crowd.connect("all", await clientsOf(gateways.deno, clients - half, [{ mode: "on_demand" }]));
      await crowd.haveSnapshots("all");
      const rig = new ReloadRig({ dir, sidecar, gateways, crowd, load, ports, stop });
      rig.#revision = (await rig.#status()).revision;
      return rig;
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async beginCalls(atATime: number): Promise<void> {
    const requests = await Promise.all(
      HOST_NAMES.flatMap((host) =>
        CALLED.map(async (server): Promise<LoadRequest> => {
          const gateway = this.#running.gateways[host];
          return {
            name: `${host}, ${server}`,
            url: `${gateway.url}/v1/hives/default/tools/${server}__echo`,
            method: "POST",
            headers: jsonHeaders(await gateway.token()),
            body: JSON.stringify({ text: server }),
            expects: `"text":"${server}"`,
          };
        }),
      ),
    );
    await this.#running.load.begin({ requests, atATime, perSecond: null });
  }

  /** Resolves when everything that is called was called. */
  async called(): Promise<void> {
    const { sidecar } = this.#running;
    while (processCount(sidecar.pid) < 2 || (await this.held()).sockets < 2)
      await pause(platformClock, LOOK_MS);
  }

  endCalls(): Promise<LoadReport> {
    return this.#running.load.end();
  }

  /** @throws when the change is not what it should be, or a client does not hear of it */
  async reload(index: number, { isWatched }: { isWatched: boolean }): Promise<Reloaded> {
    const { dir, crowd, ports } = this.#running;
    const writtenMs = Date.now();
    await write(dir, configOf(index + 1, ports));
    if (!isWatched) ReloadAnswer.parse(await this.#api("POST", "/reload"));
    const { revision, lastAtMs } = await crowd.heardOfConfig("all", this.#revision, WITHIN_MS);
    this.#revision = revision;
    return { isWatched, liveMs: lastAtMs - writtenMs };
  }

  async audience(): Promise<{ open: number; heard: number }> {
    const { crowd } = this.#running;
    const [{ open }, { heard }] = [await crowd.counts("all"), await crowd.heardOfConfig("all", 0)];
    return { open, heard };
  }

  async held(): Promise<Held> {
    const { sidecar, ports } = this.#running;
    const { pid } = sidecar;
    const sockets = Object.values(ports).map((port) => connectionsTo(port, pid).count);
    return {
      processes: processCount(pid),
      sockets: sockets.reduce((sum, count) => sum + count, 0),
      descriptors: descriptorCount(pid),
      memoryMiB: Math.round(familyBytes(pid) / MIB),
    };
  }

  /** What is held once all that was replaced has ended, or after a while. */
  async settled(before: Held): Promise<Held> {
    const deadlineMs = performance.now() + SETTLES_WITHIN_MS;
    for (;;) {
      const held = await this.held();
      const isSettled = held.processes <= before.processes && held.sockets <= before.sockets;
      if (isSettled || performance.now() > deadlineMs) return held;
      await pause(platformClock, LOOK_MS);
    }
  }

  /** All of the API's reading, and a write for every nine of those. */
  async askApi(
    host: HostName,
    { servers, perSecond, forMs }: { servers: number; perSecond: number; forMs: number },
  ): Promise<LoadReport> {
    const gateway = this.#running.gateways[host];
    // Each may ask so often only.
    const subjects = await Promise.all(
      Array.from({ length: API_SUBJECTS }, async () => jsonHeaders(await gateway.token())),
    );
    const headersOf = (i: number) => subjects[i % subjects.length] ?? {};
    for (let i = 0; i < servers; i++) {
      const headers = headersOf(i);
      const put = await fetch(`${gateway.url}${API}/configs/${host}-${i}`, {
        ...{ method: "PUT", headers: { ...headers, "if-none-match": "*" }, body: value(i) },
      });
      if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`);
      ConfigItem.parse(await put.json());
    }
    // More than are sent: each PUT makes a server that was not there.
    const requests = Array.from({ length: (2 * forMs * perSecond) / 1_000 }, (_, i): LoadRequest => {
      const headers = headersOf(i);
      const ask = (path: string, expects: string): LoadRequest => ({
        ...{ name: path.replace(/\d+/, "N"), url: `${gateway.url}${API}${path}`, method: "GET", headers },
        ...{ body: null, expects },
      });
      if (i % 10 === 0)
        return {
          ...ask(`/configs/${host}-new-${i}`, "revision"),
          ...{ name: "PUT", method: "PUT", body: value(i) },
          headers: { ...headers, "if-none-match": "*" },
        };
      if (i % 10 === 5) return ask("/status", "changed_at");
      if (i % 10 === 7) return ask("/configs", `${host}-${servers - 1}`);
      return ask(`/configs/${host}-${i % servers}`, `${host}-${i % servers}`);
    });
    await this.#running.load.begin({ requests, atATime: 64, perSecond });
    await pause(platformClock, forMs);
    return this.#running.load.end();
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }

  async #status(): Promise<ConfigStatus> {
    return ConfigStatus.parse(await this.#api("GET", "/status"));
  }

  async #api(method: string, path: string): Promise<unknown> {
    const gateway = this.#running.gateways.workerd;
    const headers = { authorization: `Bearer ${await gateway.token()}` };
    const answer = await fetch(`${gateway.url}${API}${path}`, { method, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

/** A client's rate is not what is measured. */
const UNLIMITED = { MCP_REQUESTS_PER_SECOND: "100000" };

const jsonHeaders = (token: string) => ({
  authorization: `Bearer ${token}`,
  "content-type": "application/json",
});

/** Nobody uses these, so nothing is connected to. */
const value = (i: number): string =>
  JSON.stringify({ config: { type: "tcp", host: "127.0.0.1", port: 20_000 + i }, agent_names: [`a${i}`] });

const fileIn = (dir: string): string => join(dir, ".mcp.json");

/** As editors do: beside it, and then in its place. */
async function write(dir: string, config: object): Promise<void> {
  await writeFile(`${fileIn(dir)}.new`, JSON.stringify(config, null, 2));
  await rename(`${fileIn(dir)}.new`, fileIn(dir));
}

/** Version `n`. From one to the next one server moves, and every fourth time the process is another one, and one comes or goes. */
function configOf(n: number, { still, left, right }: Running["ports"]): object {
  const fourth = Math.floor(n / 4);
  const tcp = (port: number) => ({ type: "tcp", host: "127.0.0.1", port });
  return {
    mcpServers: {
      still: tcp(still),
      moving: tcp(n % 2 === 0 ? left : right),
      process: { command: ECHO[0], args: ECHO.slice(1), env: { VERSION: String(fourth) } },
      ...(fourth % 2 === 1 && { sometimes: tcp(still) }),
    },
  };
}
