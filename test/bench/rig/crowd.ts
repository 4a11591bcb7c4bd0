/** The clients of a benchmark, in a process of their own. */
import { z } from "zod";
import type { Filters, HelloQuery } from "../../../shared/protocol/client.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import type { RunningGateway } from "../../support/gateway.ts";
import { Child } from "./child.ts";
import type { MemberOptions } from "./member.ts";

const Counts = z.object({
  /** When it was counted, on the clients' own clock. */
  atMs: z.number(),
  open: z.number(),
  /** All frames, and of those: `agent_update`, `snapshot`, `probe`. */
  frames: z.number(),
  updates: z.number(),
  snapshots: z.number(),
  probes: z.number(),
  /** Of each one's last snapshot. */
  snapshotBytes: z.number(),
  /** Of frames. */
  bytes: z.number(),
  /** As they came over the sockets that are open. */
  wireBytes: z.number(),
  recovered: z.number(),
});
export type Counts = z.infer<typeof Counts>;

const HeardOfConfig = z.object({ revision: z.number(), lastAtMs: z.number(), heard: z.number() });

const WITHIN_MS = 20_000;

export class Crowd {
  readonly #child = new Child(new URL("./crowd-process.ts", import.meta.url));

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when all are connected. */
  connect(group: string, members: readonly MemberOptions[]): Promise<void> {
    return this.#child.ask("connect", { group, members }, z.undefined());
  }

  /** Resolves when each has a snapshot. */
  haveSnapshots(group: string, withinMs = WITHIN_MS): Promise<void> {
    return this.#child.ask("haveSnapshots", { group, withinMs }, z.undefined());
  }

  /**
   * All connections are cut at once, and made again at once, to go on from where they were. Resolves with the
   * milliseconds until each has heard whether it can.
   */
  reconnect(group: string, withinMs = WITHIN_MS): Promise<number> {
    return this.#child.ask("reconnect", { group, withinMs }, z.number());
  }

  counts(group: string): Promise<Counts> {
    return this.#child.ask("counts", { group }, Counts);
  }

  /** @throws unless each of the group comes to have the agents that it asked for, as they are */
  converged(group: string, agents: readonly Agent[], withinMs = WITHIN_MS): Promise<void> {
    return this.#child.ask("converged", { group, agents, withinMs }, z.undefined());
  }

  /**
   * Resolves when each has heard of the same version of the configuration, and another one than `after`: when the last one did,
   * by the machine's clock, and how often all of them together heard of any so far.
   */
  heardOfConfig(group: string, after: number, withinMs = WITHIN_MS): Promise<z.infer<typeof HeardOfConfig>> {
    return this.#child.ask("heardOfConfig", { group, after, withinMs }, HeardOfConfig);
  }

  heartbeat(group: string): Promise<void> {
    return this.#child.ask("heartbeat", { group }, z.undefined());
  }

  drop(group: string): Promise<void> {
    return this.#child.ask("drop", { group }, z.undefined());
  }

  /** The ages of all stamped changes that came from now on, milliseconds. */
  async collectAges(during: () => Promise<void>): Promise<number[]> {
    await this.#child.ask("collectAges", {}, z.undefined());
    await during();
    return this.#child.ask("ages", {}, z.array(z.number()));
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}

export type Kind = {
  filters?: Partial<Filters>;
  mode?: HelloQuery["mode"];
  encoding?: HelloQuery["encoding"];
};

/** So many clients of a gateway, of these kinds in turn; the first of each kind is a witness. Each is a subject of its own. */
export function clientsOf(
  gateway: Pick<RunningGateway, "url" | "token">,
  count: number,
  kinds: readonly Kind[],
): Promise<MemberOptions[]> {
  const member = async (_: unknown, index: number): Promise<MemberOptions> => {
    const { filters, ...kind } = kinds[index % kinds.length] ?? {};
    const url = new URL("/v1/hives/default/stream", gateway.url.replace(/^http/, "ws"));
    const query = { ...kind, ...(filters && { filters: JSON.stringify(filters) }) };
    url.search = new URLSearchParams(query).toString();
    return { url: url.href, token: await gateway.token(), isWitness: index < kinds.length };
  };
  return Promise.all(Array.from({ length: count }, member));
}
