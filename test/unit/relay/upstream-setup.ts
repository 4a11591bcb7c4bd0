/** An orchestrator that is there or not, as the test says, and sessions of clients that go to it. */
import { LIMITS } from "../../../shared/limits.ts";
import type { RelayMode, RelayRecord } from "../../../shared/relay/records.ts";
import type { AuditLine } from "../../../sidecar/relay/audit.ts";
import { RelayMetrics } from "../../../sidecar/relay/metrics.ts";
import { NotConnected, Orchestrator, type SocketPorts } from "../../../sidecar/relay/orchestrator.ts";
import type { OpenSocket } from "../../../sidecar/relay/orchestrator-socket.ts";
import { RelaySession } from "../../../sidecar/relay/session.ts";
import { SharedUpstream } from "../../../sidecar/relay/shared-upstream.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { silentLog } from "../sidecar/fakes.ts";

export const RULES = {
  token: null,
  connectTimeoutMs: 1_000,
  heartbeatMs: 30_000,
  retryBaseMs: 5_000,
  retryMaxMs: 300_000,
  retryTries: 5,
};

/** An orchestrator that is there or not, and takes messages or not, as the test says. */
export class FakeOrchestrator extends Orchestrator {
  isUp = true;
  isStuffed = false;
  opened = 0;
  readonly heard: string[] = [];
  /** How it was closed from this side. */
  closed: { code: number; reason: string } | null = null;
  #ports: SocketPorts | null = null;

  override open(ports: SocketPorts): Promise<OpenSocket> {
    return this.guard.run(
      async () => {
        if (!this.isUp) throw new NotConnected();
        this.opened++;
        this.#ports = ports;
        return this.#socket(ports);
      },
      () => true,
    );
  }

  say(message: object): void {
    this.sayText(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  sayText(text: string): void {
    this.#ports?.onMessage(text);
  }

  breakOff(): void {
    this.isUp = false;
    this.end(1006, "");
  }

  end(code: number, reason: string): void {
    this.#ports?.onClose(code, reason, null);
    this.#ports = null;
  }

  /** A socket tells a little later that it has room again. */
  tellRoom(): void {
    if (!this.isStuffed) this.#ports?.onRoom?.();
  }

  #socket(ports: SocketPorts): OpenSocket {
    const isOpen = () => this.#ports === ports;
    const isStuffed = () => this.isStuffed;
    return {
      get isOpen() {
        return isOpen();
      },
      get isStuffed() {
        return isStuffed();
      },
      send: (data, taken) => {
        this.heard.push(String(data));
        taken();
      },
      pause: () => {},
      resume: () => {},
      close: (code, reason = "") => {
        this.closed = { code, reason };
      },
    };
  }
}

/** A session, what was said to its client, and the lines that the audit got. */
export function openSession(mode: RelayMode, { clock, number = 1 }: { clock: ManualClock; number?: number }) {
  const records: RelayRecord[] = [];
  const audited: AuditLine[] = [];
  const send = (record: RelayRecord) => {
    records.push(record);
    return "sent" as const;
  };
  const session = new RelaySession({
    ...{ number, mode, clock, link: { send }, metrics: new RelayMetrics(), onEnd: () => {} },
    client: { id: `c${number}`, subject: "s", role: "operator" },
    audit: { write: (line) => void audited.push(line) },
    total: { bytes: 0, limitBytes: LIMITS.relaySidecarHeldBytes },
  });
  const texts = () => records.flatMap((record) => (record.type === "message" ? [String(record.data)] : []));
  const closed = () => records.find((record) => record.type === "close");
  return { session, records, audited, texts, closed };
}

export const fakeOrchestrator = (clock: ManualClock): FakeOrchestrator =>
  new FakeOrchestrator("ws://h/ws", {
    ...{ rules: RULES, clock, random: () => 0, log: silentLog },
    breakers: { load: () => null, save: () => {} },
  });

/** Lets what was begun by then come to pass. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

export function start() {
  const clock = new ManualClock();
  const metrics = new RelayMetrics();
  const orchestrator = fakeOrchestrator(clock);
  const upstream = new SharedUpstream({
    ...{ orchestrator, metrics, audit: { write: () => {} }, onState: () => {}, onRetired: () => {} },
  });
  let sessions = 0;
  const join = () => {
    const opened = openSession("shared", { clock, number: ++sessions });
    const { session, records } = opened;
    upstream.join(session);
    const ask = (id: unknown, urgent = false) =>
      session.receive({ data: JSON.stringify({ jsonrpc: "2.0", id, method: `m${id}` }), urgent });
    const refused = () =>
      records.flatMap((record) => (record.type === "refused" ? [[record.id, record.code]] : []));
    const states = () => records.flatMap((record) => (record.type === "notice" ? [record.notice.state] : []));
    return { ...opened, ask, refused, states };
  };
  const heard = () => orchestrator.heard.map((text) => JSON.parse(text).method);
  const advance = async (byMs: number) => {
    clock.advance(byMs);
    await settle();
  };
  return { clock, orchestrator, upstream, metrics, join, heard, settle, advance };
}
