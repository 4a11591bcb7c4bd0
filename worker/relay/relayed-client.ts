/** A client of the relay, in either mode, as the relay and its shard see it. */
import type { Clock } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { HoldTotal } from "../../shared/relay/hold-queue.ts";
import type { Link } from "../../shared/relay/link.ts";
import type { RelayClient, RelayMode } from "../../shared/relay/records.ts";
import type { ClientEnd, ClientPipe } from "./client-pipe.ts";
import { DedicatedClient } from "./dedicated-client.ts";
import type { RelayCounts } from "./figures.ts";
import type { Rights } from "./roles.ts";
import type { RelaySettings } from "./settings.ts";
import { SharedClient } from "./shared-client.ts";

export interface RelayedClient {
  readonly mode: RelayMode;
  readonly pipe: Pick<
    ClientPipe<never>,
    "credited" | "drain" | "tick" | "leave" | "close" | "held" | "heldBytes"
  >;
  /** Requests that wait for their answers. */
  readonly pending: number;
  readonly hearsNotices: boolean;
  /** A fresh token allows something else. */
  allowed(rights: Rights): void;
  /** @throws HivegateError `forbidden` when it may not send frames of this type */
  mayUse(type: string): void;
  /** From the client. False: it is not for the orchestrator. */
  receive(data: string | Uint8Array): boolean;
  /** From the orchestrator. */
  give(data: string | Uint8Array): void;
  /** The sidecar did not pass a message on, or its answer will not come. `id` is JSON. */
  refused(refusal: { id: string | null; code: ErrorCode; message: string }): void;
  /** Its channel is over: it goes on with another one, of this number, or ends. */
  reset(number: number): void;
  /** The gateway is about to stop. */
  drain(): void;
}

/** How a client joins: what is known of it, and how it is reached. */
export type Joining = {
  client: RelayClient;
  rights: Rights;
  mode: RelayMode;
  /** In a dedicated session: frames of ours come between the orchestrator's. */
  notices: boolean;
  end: ClientEnd & { tell(frame: GatewayFrame): void; close(code: number, reason: string): void };
};

export type Surroundings = {
  clock: Clock;
  settings: RelaySettings;
  counts: RelayCounts;
  total: HoldTotal;
  link: Pick<Link, "send">;
  audit(refused: { name: string; code: ErrorCode }): void;
  busy(): void;
};

export function newClient(
  { rights, mode, notices, end }: Joining,
  number: number,
  { settings, audit, ...around }: Surroundings,
): RelayedClient {
  const { messagesPerSecond, redact } = settings;
  const ports = {
    ...{ ...around, messagesPerSecond, client: end },
    slowed(waiting: number) {
      if (mode === "dedicated" && !notices) return;
      const timestamp = around.clock.now();
      end.tell({ type: "slowed", messages_per_second: messagesPerSecond, waiting, timestamp });
    },
  };
  return mode === "dedicated"
    ? new DedicatedClient(ports, { notices, number })
    : new SharedClient({ ...ports, redact, audit, tell: end.tell }, rights, number);
}
