/** A relay on a clock that is moved by hand, with clients and a sidecar's end of the link that the test speaks for. */
import type { Permission } from "../../../shared/auth/permission.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import { costOf } from "../../../shared/relay/channel.ts";
import { Link, type LinkSocket } from "../../../shared/relay/link.ts";
import type { RelayRecord } from "../../../shared/relay/records.ts";
import type { LineListener } from "../../../worker/relay/line.ts";
import { Relay } from "../../../worker/relay/relay.ts";
import { DEFAULT_ROLES, rightsOf } from "../../../worker/relay/roles.ts";
import { DEFAULT_RELAY, type RelaySettings } from "../../../worker/relay/settings.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Lets everything that is due without time passing come about. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

type Joining = {
  mode?: "shared" | "dedicated";
  notices?: boolean;
  reads?: boolean;
  permissions?: Permission[];
};

export function setUp(settings: Partial<RelaySettings> = {}) {
  const clock = new ManualClock();
  let instances = 0;
  let isAway = false;
  let listener: LineListener | null = null;
  const audited: object[] = [];
  const records: RelayRecord[] = [];
  const newInstance = () => `instance-${instances++}`;
  const newSidecar = () =>
    new Link({ clock, newInstance, received: (record) => void records.push(record), onReset: () => {} });
  let sidecar = newSidecar();

  const relay = new Relay({
    ...{ clock, random: () => 0.5, uuid: newInstance, soon: (flush) => queueMicrotask(flush), log: () => {} },
    settings: { ...DEFAULT_RELAY, ...settings },
    audit: (refused) => void audited.push(refused),
    async dial(hears): Promise<LinkSocket> {
      if (isAway) throw new Error("nobody is there");
      listener = hears;
      const far = sidecar;
      queueMicrotask(() =>
        far.attach({
          send: (bytes) => queueMicrotask(() => hears.received(bytes)),
          close: () => hears.closed(),
        }),
      );
      return {
        send: (bytes) => queueMicrotask(() => listener === hears && far.receive(bytes)),
        close: () => far.detached(),
      };
    },
  });

  const cut = () => {
    const before = listener;
    listener = null;
    sidecar.detached();
    before?.closed();
  };

  const join = (options: Joining = {}) => {
    const { mode = "shared", notices = false, reads = true } = options;
    const { permissions = ["relay:read", "relay:write"] } = options;
    const raw: (string | Uint8Array)[] = [];
    const frames: GatewayFrame[] = [];
    const ended: (ErrorCode | number)[] = [];
    let unread = 0;
    const client = {
      ...{ raw, frames, ended },
      /** What it has read of what it was sent. */
      read: (cost: number) => {
        unread -= cost;
      },
      rpc: () => raw.map((data) => JSON.parse(String(data))),
      say: (message: object) => membership.receive(JSON.stringify(message)),
      sayRaw: (data: string | ArrayBuffer) => membership.receive(data),
      leave: () => membership.leave(),
    };
    const end = (code: ErrorCode | number) => {
      ended.push(code);
      membership.end(4000, "");
    };
    const membership = relay.join({
      client: { id: `c${instances++}`, subject: "s", role: "operator" },
      rights: rightsOf({ permissions, scope: {} }, mode, DEFAULT_ROLES),
      ...{ mode, notices },
      end: {
        send(data, cost) {
          raw.push(typeof data === "string" ? data : data.slice());
          if (!reads) unread += cost;
        },
        answer: (text) => void raw.push(text),
        unread: () => unread,
        tell: (frame) => void frames.push(frame),
        end,
        close: end,
      },
    });
    return client;
  };

  return {
    ...{ clock, relay, records, audited, join, cut },
    tell: (record: RelayRecord) => sidecar.send(record),
    said: () => records.flatMap((record) => (record.type === "message" ? [record] : [])),
    creditOf: (records: RelayRecord[]) =>
      records.reduce((sum, record) => sum + (record.type === "credit" ? record.bytes : 0), 0),
    costOf,
    /** The sidecar is not there for whoever dials. */
    away: (now: boolean) => {
      isAway = now;
    },
    /** The sidecar that is there from now on knows of nothing. */
    forget() {
      sidecar = newSidecar();
    },
    /** Time passes, in steps in which promises come about. */
    async pass(ms: number, stepMs = 20) {
      for (let i = 0; i < ms; i += stepMs) {
        clock.advance(stepMs);
        await settle();
      }
    },
  };
}
