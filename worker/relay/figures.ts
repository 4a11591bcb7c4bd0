/** What happens on the relay of one shard, as plain numbers that are read whenever somebody asks. */
import type { ErrorCode } from "../../shared/errors.ts";

export type Traffic = { messages: number; bytes: number };

export type RelayFigures = {
  /** Clients that are connected. */
  shared: number;
  dedicated: number;
  /** Since the start. `bytes` counts a text's characters. */
  toOrchestrator: Traffic;
  toClients: Traffic;
  /** Refused by the gateway, by the code of the error that the client was given. */
  refused: Partial<Record<ErrorCode, number>>;
  /** Messages that were accepted and will not be delivered, or whose answer will not come. Each was said to its client, if it was there. */
  givenUp: number;
  /** Came from the orchestrator and is for no client of a shared connection: what is no text. */
  dropped: number;
  /** Sessions that ended because of what happened on the relay, by code. */
  ended: Partial<Record<ErrorCode, number>>;
  /** Times that messages had to wait for the client's rate. */
  slowed: number;
  /** Requests that wait for their answers, and messages that wait to be sent, now. */
  pending: number;
  held: number;
  heldBytes: number;
  /** Of the link to the sidecar. */
  linkUp: boolean;
  dials: number;
  failedDials: number;
  resets: number;
};

/** What is counted; the rest is looked up. */
export type RelayCounts = Omit<
  RelayFigures,
  "shared" | "dedicated" | "pending" | "held" | "heldBytes" | "linkUp"
>;

export const noCounts = (): RelayCounts => ({
  ...{ toOrchestrator: { messages: 0, bytes: 0 }, toClients: { messages: 0, bytes: 0 } },
  ...{ refused: {}, ended: {}, givenUp: 0, dropped: 0, slowed: 0, dials: 0, failedDials: 0, resets: 0 },
});

export function count(traffic: Traffic, data: string | Uint8Array): void {
  traffic.messages++;
  traffic.bytes += data.length;
}

export function tally(byCode: Partial<Record<ErrorCode, number>>, code: ErrorCode): void {
  byCode[code] = (byCode[code] ?? 0) + 1;
}
