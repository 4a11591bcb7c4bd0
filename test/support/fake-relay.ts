/** The sidecar's end of a relay's link, which says what a test tells it to: signatures are checked, and the real link is used. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { MacKey } from "../../shared/auth/signature.ts";
import { verifyHead } from "../../shared/auth/signature.ts";
import { platformClock } from "../../shared/clock.ts";
import { HIVE_HEADER } from "../../shared/protocol/sidecar.ts";
import { costOf } from "../../shared/relay/channel.ts";
import { Link } from "../../shared/relay/link.ts";
import { LINK_PATH, LinkId, type RelayRecord } from "../../shared/relay/records.ts";

type Opened = RelayRecord & { type: "open" };
type Said = RelayRecord & { type: "message" };

export class FakeRelay {
  /** Links that were dialled and not refused, by name. */
  dials: string[] = [];
  opened: Opened[] = [];
  said: Said[] = [];
  closed: (RelayRecord & { type: "close" })[] = [];
  /** Credit that the gateway gave back, in all. */
  credited = 0;
  /** Whether it gives credit back for what comes. */
  reads = true;
  /** What it does with each message that comes. */
  hears: (said: Said, channel: Opened) => void = () => {};
  #isAway = false;
  readonly #keys: ReadonlyMap<string, MacKey>;
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #links = new Map<string, { link: Link; socket: WebSocket | null }>();
  #waiting: (() => void)[] = [];

  constructor(keys: ReadonlyMap<string, MacKey>) {
    this.#keys = keys;
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const header = (name: string) => request.headers[name]?.toString();
    const url = new URL(request.url ?? "", "http://sidecar");
    const signed = { method: "GET", url: request.url ?? "", hive: header(HIVE_HEADER) ?? "" };
    const verified = await verifyHead(signed, header, { keys: this.#keys, nowMs: Date.now(), sinceMs: 0 });
    const name = LinkId.safeParse(url.searchParams.get("link")).data;
    if (!verified.ok || url.pathname !== LINK_PATH || name === undefined || this.#isAway) {
      socket.end(`HTTP/1.1 ${verified.ok ? "503 Busy" : "401 Unauthorized"}\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.dials.push(name);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#attach(name, webSocket));
  }

  /** A record to the gateway, over the link that has this channel. */
  tell(record: RelayRecord): void {
    for (const { link } of this.#links.values()) link.send(record);
  }

  /** A message to the client of this channel. */
  say(channel: Pick<Opened, "channel">, data: string | Uint8Array): void {
    this.tell({ type: "message", channel: channel.channel, data, urgent: false });
  }

  /** Every link's socket breaks. `away`: nobody answers until it is back. */
  cut({ away = false }: { away?: boolean } = {}): void {
    this.#isAway = away;
    for (const { socket } of this.#links.values()) socket?.terminate();
  }

  back(): void {
    this.#isAway = false;
  }

  /** As a process that was killed and started again: it knows no link, and no channel. */
  restart(): void {
    const before = [...this.#links.values()];
    this.#links.clear();
    for (const { link, socket } of before) {
      link.close(1001, "killed");
      socket?.terminate();
    }
  }

  reset(): void {
    this.restart();
    Object.assign(this, { dials: [], opened: [], said: [], closed: [], credited: 0, reads: true });
    this.hears = () => {};
    this.#isAway = false;
  }

  /** Resolves once it is so; looked at whenever a record comes. */
  async until<T>(find: () => T | undefined | false, withinMs = 15_000): Promise<T> {
    const untilMs = Date.now() + withinMs;
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > untilMs) throw new Error(`it did not come to that: ${find}`);
      const news = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await Promise.race([news, new Promise((resolve) => setTimeout(resolve, 250).unref())]);
    }
  }

  #attach(name: string, socket: WebSocket): void {
    const entry = this.#links.get(name) ?? { link: this.#newLink(), socket: null };
    entry.socket = socket;
    this.#links.set(name, entry);
    socket.on("error", () => {});
    socket.on("message", (data: Buffer) => {
      if (entry.socket === socket) entry.link.receive(new Uint8Array(data));
    });
    socket.on("close", () => {
      if (entry.socket !== socket) return;
      entry.socket = null;
      entry.link.detached();
    });
    entry.link.attach({
      send: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(code === 1002 ? 1000 : code, reason),
    });
  }

  #newLink(): Link {
    const link: Link = new Link({
      clock: platformClock,
      newInstance: randomUUID,
      received: (record) => this.#received(record, link),
      onReset: () => {},
    });
    return link;
  }

  #received(record: RelayRecord, link: Link): void {
    if (record.type === "open") this.opened.push(record);
    else if (record.type === "close") this.closed.push(record);
    else if (record.type === "credit") this.credited += record.bytes;
    else if (record.type === "message") {
      const data = typeof record.data === "string" ? record.data : record.data.slice();
      const said = { ...record, data };
      this.said.push(said);
      if (this.reads) link.send({ type: "credit", channel: record.channel, bytes: costOf(data) });
      const channel = this.opened.find((each) => each.channel === record.channel);
      if (channel) this.hears(said, channel);
    }
    for (const news of this.#waiting.splice(0)) news();
  }
}
