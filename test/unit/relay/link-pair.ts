/** Two links and a transport between them that a test cuts: what is under way then is lost. */
import { Link, type LinkLimits, type LinkSocket } from "../../../shared/relay/link.ts";
import type { RelayRecord } from "../../../shared/relay/records.ts";
import { ManualClock } from "../../support/manual-clock.ts";

type Flight = { to: End; bytes: Uint8Array };

export class End {
  readonly link: Link;
  readonly received: RelayRecord[] = [];
  resets = 0;
  rooms = 0;
  socket: LinkSocket | null = null;
  take = (record: RelayRecord): void => void this.received.push(copied(record));

  constructor(clock: ManualClock, name: string, limits?: LinkLimits) {
    let instances = 0;
    this.link = new Link({
      clock,
      newInstance: () => `${name}${++instances}`,
      received: (record) => this.take(record),
      onReset: () => this.resets++,
      onRoom: () => this.rooms++,
      onDown: () => {
        this.socket = null;
      },
      ...(limits && { limits }),
    });
  }

  get texts(): string[] {
    return this.received.flatMap((record) => (record.type === "message" ? [String(record.data)] : []));
  }
}

/** What a binary message shows is its receiver's only until the next one. */
const copied = (record: RelayRecord): RelayRecord =>
  record.type === "message" && typeof record.data !== "string"
    ? { ...record, data: record.data.slice() }
    : record;

export class LinkPair {
  readonly clock = new ManualClock();
  a: End;
  b: End;
  readonly #limits: LinkLimits | undefined;
  #flights: Flight[] = [];
  #ends = 0;

  constructor(limits?: LinkLimits) {
    this.#limits = limits;
    this.a = this.#end();
    this.b = this.#end();
  }

  connect(): void {
    for (const [from, to] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      const socket = {
        send: (bytes: Uint8Array) => void this.#flights.push({ to, bytes: bytes.slice() }),
        close: () => this.cut(),
      };
      from.socket = socket;
      from.link.attach(socket);
    }
  }

  cut(): void {
    this.#flights = [];
    for (const { link } of [this.a, this.b]) link.detached();
  }

  /** The end `b` dies, and comes back knowing nothing. */
  restartB(): void {
    this.cut();
    this.b = this.#end();
  }

  /** Lets at most so many frames arrive, and what they lead to be sent. */
  async deliver(most = Number.POSITIVE_INFINITY): Promise<void> {
    for (let delivered = 0; delivered < most; delivered++) {
      await Promise.resolve();
      const flight = this.#flights.shift();
      if (!flight) return;
      flight.to.link.receive(flight.bytes);
    }
  }

  #end(): End {
    return new End(this.clock, `end${++this.#ends}.`, this.#limits);
  }
}
