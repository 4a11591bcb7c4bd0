/** The gateway's end of a relay's link, with nothing in between: what the sidecar says can be looked at. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { vi } from "vitest";
import { WebSocket } from "ws";
import { signRequest } from "../../shared/auth/signature.ts";
import { platformClock } from "../../shared/clock.ts";
import { Channel, costOf } from "../../shared/relay/channel.ts";
import { Link } from "../../shared/relay/link.ts";
import type {
  OrchestratorNotice,
  OrchestratorState,
  RelayMode,
  RelayRecord,
} from "../../shared/relay/records.ts";
import { sha256 } from "../../sidecar/http/keys.ts";
import { TEST_KEY } from "./sidecar.ts";

const WITHIN_MS = 20_000;
const REDIAL_MS = 20;

type Refused = RelayRecord & { type: "refused" };

/** One session: what came for it so far. */
export class TestSession {
  readonly messages: (string | Uint8Array)[] = [];
  readonly notices: OrchestratorNotice[] = [];
  readonly refused: Refused[] = [];
  closed: { code: number; reason: string } | null = null;
  /** While true it reads nothing, so that the other side gets no credit. */
  isAsleep = false;
  readonly #channel: Channel;
  readonly #link: Link;
  readonly #number: number;
  #unread: number[] = [];

  constructor(link: Link, number: number, mode: RelayMode) {
    this.#link = link;
    this.#number = number;
    this.#channel = new Channel({
      ...{ link, number, clock: platformClock },
      gaveUp: (_, why) => {
        throw new Error(`the test's own message was given up: ${why}`);
      },
    });
    const client = { id: randomUUID(), subject: `subject-${number}`, role: "operator" };
    link.send({ type: "open", channel: number, mode, client });
  }

  send(data: string | Uint8Array, urgent = false): void {
    this.#channel.send({ data, urgent });
  }

  /** Sends a JSON-RPC request. */
  ask(id: unknown, method: string, params: object = {}): void {
    this.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  close(code = 1000, reason = ""): void {
    this.#link.send({ type: "close", channel: this.#number, code, reason });
  }

  wake(): void {
    this.isAsleep = false;
    for (const cost of this.#unread.splice(0)) this.#channel.passedOn(cost);
  }

  get texts(): string[] {
    return this.messages.map(String);
  }

  /** The messages, once there are so many. */
  async got(count: number): Promise<string[]> {
    await vi.waitUntil(() => this.messages.length >= count, WITHIN_MS);
    return this.texts;
  }

  /** The latest notice, once it is of this state. */
  async reached(state: OrchestratorState): Promise<void> {
    await vi.waitUntil(() => this.notices.at(-1)?.state === state, WITHIN_MS);
  }

  received(record: RelayRecord): void {
    if (record.type === "credit") this.#channel.credited(record.bytes);
    else if (record.type === "notice") this.notices.push(record.notice);
    else if (record.type === "refused") this.refused.push(record);
    else if (record.type === "close") this.closed = { code: record.code, reason: record.reason };
    else if (record.type === "message") {
      const { data } = record;
      this.messages.push(typeof data === "string" ? data : data.slice());
      if (this.isAsleep) this.#unread.push(costOf(data));
      else this.#channel.passedOn(costOf(data));
    }
  }
}

/** A link that dials again as soon as its socket is over. */
export class TestLink {
  readonly #url: string;
  readonly link: Link;
  readonly #sessions = new Map<number, TestSession>();
  #socket: WebSocket | null = null;
  #isClosed = false;
  resets = 0;
  dials = 0;
  goaways = 0;

  constructor(sidecarUrl: string, linkId: string = randomUUID()) {
    this.#url = `${sidecarUrl}/v1/relay?link=${linkId}`;
    this.link = new Link({
      clock: platformClock,
      newInstance: randomUUID,
      received: (record) => {
        if (record.type === "goaway") this.goaways++;
        else this.#sessions.get(record.channel)?.received(record);
      },
      onReset: () => this.resets++,
      onDown: () => {
        if (!this.#isClosed) platformClock.after(REDIAL_MS, () => void this.dial());
      },
    });
    void this.dial();
  }

  open(mode: RelayMode = "shared"): TestSession {
    const number = this.#sessions.size + 1;
    const session = new TestSession(this.link, number, mode);
    this.#sessions.set(number, session);
    return session;
  }

  async up(): Promise<this> {
    await vi.waitUntil(() => this.link.isUp, WITHIN_MS);
    return this;
  }

  /** Breaks the connection off: what is under way is lost. */
  cut(): void {
    this.#socket?.terminate();
  }

  close(): void {
    this.#isClosed = true;
    this.link.close(1000, "");
    this.#socket?.terminate();
  }

  /** Opens a socket, whether there is one or not. */
  async dial(): Promise<void> {
    if (this.#isClosed) return;
    this.dials++;
    try {
      await openUpgrade(this.#url, { opened: (webSocket) => this.#attach(webSocket) });
    } catch {
      platformClock.after(REDIAL_MS, () => void this.dial());
    }
  }

  #attach(webSocket: WebSocket): void {
    this.#socket = webSocket;
    const socket = {
      send: (bytes: Uint8Array) => webSocket.send(bytes),
      close: (code: number, reason: string) => webSocket.close(code, reason),
    };
    webSocket.on("message", (data: Buffer) => this.link.receive(data));
    webSocket.on("close", () => this.link.detached(socket));
    webSocket.on("error", () => {});
    this.link.attach(socket);
  }
}

/**
 * Opens a signed WebSocket, or throws how it was refused. The sidecar speaks at once, so `opened` is called before
 * anything else can happen.
 */
export async function openUpgrade(
  url: string,
  { headers, opened }: { headers?: Record<string, string>; opened?(webSocket: WebSocket): void } = {},
): Promise<void> {
  const signed = await signRequest(
    { method: "GET", url, hive: "default", body: new Uint8Array() },
    { key: TEST_KEY, sha256, nowMs: Date.now(), lifeMs: 30_000, nonce: randomUUID() },
  );
  const webSocket = new WebSocket(url.replace(/^http/, "ws"), { headers: headers ?? signed });
  webSocket.once("open", () => opened?.(webSocket));
  const [refusal] = await Promise.race([
    once(webSocket, "open").then(() => []),
    once(webSocket, "error").then(([error]) => Promise.reject(error)),
    once(webSocket, "unexpected-response").then(([, response]) => [Number(response.statusCode)]),
  ]);
  if (refusal !== undefined) throw new UpgradeRefused(refusal);
}

export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the upgrade was refused with ${status}`);
    this.status = status;
  }
}
