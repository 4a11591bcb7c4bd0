/** A shard on a clock that is moved by hand, with clients and a feed that the test speaks for. */
import { deflateSync, inflateSync } from "node:zlib";
import { ALL_PERMISSIONS, type Permission, type Scope } from "../../../shared/auth/permission.ts";
import { verifyToken } from "../../../shared/auth/token.ts";
import type { Encoding, Filters, HeldPosition, Mode } from "../../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import { ALL_FIELDS, changedFields, IS_NEW } from "../../../shared/swarm/fields.ts";
import { type FeedMessage, readFeedMessage } from "../../../worker/hive/feed.ts";
import type { SessionState } from "../../../worker/session/session.ts";
import type { ToolPorts } from "../../../worker/session/session-tools.ts";
import { Shard } from "../../../worker/session/shard.ts";
import { SidecarClient } from "../../../worker/sidecar-client.ts";
import { anAgent, aSnapshot } from "../../support/agents.ts";
import { ManualClock } from "../../support/manual-clock.ts";

export const SNAPSHOT: FeedMessage = aSnapshot({
  offset: 1,
  agents: [anAgent()],
  history: {
    ...{ horizon: 0, agents: [[[1, ALL_FIELDS | IS_NEW]]], tasks: [], departures: [] },
    parts: { servers: 0, swarms: 0, container: 0 },
  },
});
export const CLOSED = { state: "closed", since: 0, retry_at: null } as const;
export const LIVE: FeedMessage = {
  type: "status",
  status: { live: true, staleSince: null, circuit: CLOSED },
};
export const LOST: FeedMessage = { type: "status", status: { live: false, staleSince: 5, circuit: CLOSED } };
export const STATUS = changedFields(anAgent(), anAgent({ status: "another" }));
export const SECRET = new Uint8Array(32).fill(3);
export const NO_FILTERS = { include_performance: false, include_neural: false, include_topology: false };

export type ConnectOptions = {
  backlogBytes?: () => number;
  heartbeatMs?: () => number;
  expiresMs?: number;
  subject?: string;
  permissions?: Permission[];
  scope?: Scope;
  filters?: Partial<Filters>;
  mode?: Mode;
  encoding?: Encoding;
  dialect?: SessionState["dialect"];
  position?: HeldPosition;
};

const ofType =
  (frames: GatewayFrame[]) =>
  <Type extends GatewayFrame["type"]>(type: Type) =>
    frames.filter((frame): frame is GatewayFrame & { type: Type } => frame.type === type);

/** A shard whose sidecar answers when the test says so. */
export function setUp({ tools }: { tools?: ToolPorts } = {}) {
  const clock = new ManualClock();
  const answer = Promise.withResolvers<Response>();
  const asked: string[] = [];
  const sidecar = new SidecarClient({
    hive: "default",
    url: "http://sidecar",
    key: { kid: "k", mac: () => new Uint8Array(32) },
    fetch: (url) => {
      asked.push(new URL(url).pathname);
      return answer.promise;
    },
    sha256: () => new Uint8Array(32),
    clock,
    nonce: () => "nonce-0123456789",
  });
  let clients = 0;
  const wakes: number[] = [];
  const requests: number[] = [];
  const shard = new Shard({
    hive: "default",
    sidecar,
    clock,
    uuid: () => `00000000-0000-4000-8000-${`${clients++}`.padStart(12, "0")}`,
    deflate: (text) => deflateSync(text),
    verify: (token) => verifyToken(token, { secret: SECRET }, clock.now()),
    requestFeed: () => void requests.push(clock.now()),
    wakeAt: (atMs) => void wakes.push(atMs),
    log: () => {},
    ...(tools && { tools }),
  });
  const connect = (kind: SessionState["kind"], options: ConnectOptions = {}) => {
    const frames: GatewayFrame[] = [];
    const closed: number[] = [];
    const saved: SessionState[] = [];
    const binary: Uint8Array[] = [];
    const socket = {
      send(data: string | Uint8Array) {
        if (typeof data !== "string") binary.push(data);
        frames.push(JSON.parse(typeof data === "string" ? data : inflateSync(data).toString()));
      },
      close: (code: number) => void closed.push(code),
      save: (state: SessionState) => void saved.push(state),
      backlogBytes: () => options.backlogBytes?.() ?? null,
      heartbeatMs: () => options.heartbeatMs?.() ?? null,
    };
    const { expiresMs = Number.MAX_SAFE_INTEGER, permissions = [...ALL_PERMISSIONS], ...given } = options;
    shard.connect(socket, {
      kind,
      dialect: given.dialect ?? "hivegate",
      identity: { subject: given.subject ?? "s", permissions, scope: given.scope ?? {}, expiresMs },
      filters: { ...NO_FILTERS, ...given.filters },
      mode: given.mode ?? "normal",
      encoding: given.encoding ?? "json",
      position: given.position ?? null,
    });
    const types = () => frames.map(({ type }) => type);
    return { socket, frames, closed, saved, binary, types, ofType: ofType(frames) };
  };
  const feed = () => {
    const sent: string[] = [];
    const feedSocket = {
      closed: false,
      send: (text: string) => void sent.push(text),
      close: () => {
        feedSocket.closed = true;
      },
      sent,
    };
    return feedSocket;
  };
  const say = (socket: ReturnType<typeof feed>, ...messages: FeedMessage[]) => {
    for (const message of messages) shard.feedReceived(socket, readFeedMessage(JSON.stringify(message)));
  };
  const connectFeed = (...messages: FeedMessage[]) => {
    const socket = feed();
    shard.feedConnected(socket);
    say(socket, ...messages);
    return socket;
  };
  return { shard, clock, connect, feed, connectFeed, say, answer, asked, wakes, requests };
}
