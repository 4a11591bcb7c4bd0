/** All ways to one orchestrator at once, each with clients of its own; only one of them is used at a time. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { newSecret, type RunningGateway } from "../../support/gateway.ts";
import { startSidecar } from "../../support/sidecar.ts";
import { Child } from "./child.ts";
import { HOST_NAMES, HOSTS } from "./hosts.ts";
import { cpuMs } from "./process-cost.ts";
import { type Load, type Member, RelayCrowd } from "./relay-crowd.ts";

export const SUBJECTS = ["direct", "proxy", ...HOST_NAMES] as const;
export type Subject = (typeof SUBJECTS)[number];

/** How many clients each way has, in either mode. */
export const RELAY_CLIENTS = { shared: 64, dedicated: 16 };
type Mode = keyof typeof RELAY_CLIENTS;
const MODES = ["shared", "dedicated"] as const;

/** The most that can be set: a client's rate is not what is measured. */
const MESSAGES_PER_SECOND = "100000";

/** `perSecond` counts the messages that were answered; `cpuUs` is what each took of each process's time. */
export type Measured = {
  perSecond: number;
  /** One way. */
  megabytesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  cpuUs: Record<string, number>;
};

/** A way to the orchestrator: where its clients connect to, and the processes on it. */
type Way = { members(mode: Mode, count: number): Promise<Member[]>; pids: Record<string, number> };

export class RelayRig {
  readonly #ways: Record<Subject, Way>;
  readonly #crowd: RelayCrowd;
  readonly #stop: () => Promise<void>;

  private constructor(ways: Record<Subject, Way>, crowd: RelayCrowd, stop: () => Promise<void>) {
    this.#ways = ways;
    this.#crowd = crowd;
    this.#stop = stop;
  }

  static async start(): Promise<RelayRig> {
    const orchestrator = new Child(new URL("./orchestrator-process.ts", import.meta.url));
    const url = `ws://127.0.0.1:${await orchestrator.ask("start", {}, z.number())}`;
    const proxy = new Child(new URL("./proxy-process.ts", import.meta.url));
    const proxyUrl = `ws://127.0.0.1:${await proxy.ask("start", { url }, z.number())}`;
    const keys = { bench: newSecret() };
    const dir = await mkdtemp(join(tmpdir(), "hivegate-bench-"));
    const sidecar = await startSidecar({ env: sidecarEnv({ url, keys, dir }) });
    const gatewayOptions = {
      sidecarUrl: sidecar.url,
      keys,
      env: { RELAY_MESSAGES_PER_SECOND: MESSAGES_PER_SECOND },
    };
    const workerd = await HOSTS.workerd.gateway(gatewayOptions);
    const deno = await HOSTS.deno.gateway(gatewayOptions);
    const crowd = new RelayCrowd();
    const pids = { clients: crowd.pid, orchestrator: orchestrator.pid };
    const hivegate = (gateway: RunningGateway): Way => ({
      members: (mode, count) => relayMembers(gateway, mode, count),
      pids: { ...pids, gateway: gateway.pid, sidecar: sidecar.pid },
    });
    const ways = {
      direct: { members: bareMembers(url), pids },
      proxy: { members: bareMembers(proxyUrl), pids: { ...pids, proxy: proxy.pid } },
      workerd: hivegate(workerd),
      deno: hivegate(deno),
    };
    const rig = new RelayRig(ways, crowd, async () => {
      for (const each of [crowd, workerd, deno, sidecar, proxy, orchestrator]) await each.stop();
      await rm(dir, { recursive: true, force: true });
    });
    await rig.#connect();
    return rig;
  }

  /** @throws when an answer is wrong, missing or out of order */
  async measure(subject: Subject, load: Load, measureMs: number): Promise<Measured> {
    const pids = Object.entries(this.#ways[subject].pids);
    const costs = () => pids.map(([, pid]) => cpuMs(pid));
    const before = costs();
    const mode: Mode = load.kind === "rpc" ? "shared" : "dedicated";
    const { messages, elapsedMs, p50Ms, p99Ms, answered } = await this.#crowd.run(
      groupOf(subject, mode),
      load,
      measureMs,
    );
    const after = costs();
    const cpuUs = pids.map(([name], i) => [name, (((after[i] ?? 0) - (before[i] ?? 0)) / answered) * 1_000]);
    const perSecond = (messages / elapsedMs) * 1_000;
    return {
      ...{ perSecond, p50Ms, p99Ms, cpuUs: Object.fromEntries(cpuUs) },
      megabytesPerSecond: (perSecond * load.bytes) / 1e6,
    };
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  async #connect(): Promise<void> {
    for (const subject of SUBJECTS) {
      for (const mode of MODES)
        await this.#crowd.connect(
          groupOf(subject, mode),
          await this.#ways[subject].members(mode, RELAY_CLIENTS[mode]),
        );
    }
  }
}

const groupOf = (subject: Subject, mode: Mode): string => `${subject}, ${mode}`;

const sidecarEnv = ({ url, keys, dir }: { url: string; keys: Record<string, string>; dir: string }) => ({
  SIDECAR_KEYS: JSON.stringify(keys),
  SIDECAR_STATE_DIR: dir,
  SWARM_EXECUTOR: "process",
  ENABLE_MCP_TELEMETRY: "false",
  ORCHESTRATOR_WS_URL: url,
  LOG_LEVEL: "warn",
});

const bareMembers =
  (url: string) =>
  async (_: Mode, count: number): Promise<Member[]> =>
    Array.from({ length: count }, () => ({ url, token: null }));

/** Each is a subject of its own. */
function relayMembers({ url, token }: RunningGateway, mode: Mode, count: number): Promise<Member[]> {
  const address = new URL(`/v1/hives/default/relay?mode=${mode}`, url.replace(/^http/, "ws")).href;
  return Promise.all(Array.from({ length: count }, async () => ({ url: address, token: await token() })));
}
