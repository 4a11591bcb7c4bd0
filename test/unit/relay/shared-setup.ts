/** A shared connection to an orchestrator that is there or not, as the test says, and its clients. */
import type { RelayRecord } from "../../../shared/relay/records.ts";
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
class FakeOrchestrator extends Orchestrator {
  isUp = true;
  isStuffed = false;
  opened = 0;
  readonly heard: string[] = [];
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
    this.#ports?.onMessage(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  breakOff(): void {
    this.isUp = false;
    this.#ports?.onClose(1006, "", null);
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
      close: () => {},
    };
  }
}

export function start() {
  const clock = new ManualClock();
  const metrics = new RelayMetrics();
  const audit = { write: () => {} };
  const breakers = { load: () => null, save: () => {} };
  const orchestrator = new FakeOrchestrator("ws://h/ws", {
    ...{ rules: RULES, breakers, clock, random: () => 0, log: silentLog },
  });
  const upstream = new SharedUpstream({
    ...{ orchestrator, metrics, audit, onState: () => {}, onRetired: () => {} },
  });
  const total = { bytes: 0, limitBytes: 1_000_000 };
  let sessions = 0;
  const join = () => {
    const records: RelayRecord[] = [];
    const send = (record: RelayRecord) => {
      records.push(record);
      return "sent" as const;
    };
    const number = ++sessions;
    const client = { id: `c${number}`, subject: "s", role: "operator" };
    const session = new RelaySession({
      ...{ number, mode: "shared", client, link: { send }, clock, metrics, audit, total, onEnd: () => {} },
    });
    upstream.join(session);
    const ask = (id: unknown, urgent = false) =>
      session.receive({ data: JSON.stringify({ jsonrpc: "2.0", id, method: `m${id}` }), urgent });
    const refused = () =>
      records.flatMap((record) => (record.type === "refused" ? [[record.id, record.code]] : []));
    const states = () => records.flatMap((record) => (record.type === "notice" ? [record.notice.state] : []));
    return { session, records, ask, refused, states };
  };
  const heard = () => orchestrator.heard.map((text) => JSON.parse(text).method);
  /** Lets what was begun by then come to pass. */
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  const advance = async (byMs: number) => {
    clock.advance(byMs);
    await settle();
  };
  return { clock, orchestrator, upstream, metrics, join, heard, settle, advance };
}
