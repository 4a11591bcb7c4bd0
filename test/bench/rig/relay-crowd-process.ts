/** The clients of the relay's benchmark: each keeps so many messages under way, and says the next when one is answered. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { SUBPROTOCOL } from "../../../shared/protocol/gateway.ts";
import { quantile } from "../report.ts";
import { answerParent } from "./child.ts";
import { Connect, type Member, Run, type Talked } from "./relay-crowd.ts";
import { opaquePayload, type Payload, rpcPayload } from "./relay-exchange.ts";

const DRAIN_MS = 10_000;
const groups = new Map<string, WebSocket[]>();

answerParent({
  async connect(params) {
    const { group, members } = Connect.parse(params);
    groups.set(group, await Promise.all(members.map(connected)));
  },
  async run(params): Promise<Talked> {
    const { group, clients, inFlight, measureMs, ...load } = Run.parse(params);
    const payload = load.kind === "rpc" ? rpcPayload(load.bytes) : opaquePayload(load.bytes, load.kind);
    const sockets = groups.get(group)?.slice(0, clients) ?? [];
    const talks = sockets.map((socket) => new Talk(socket, payload));
    const startMs = performance.now();
    for (const talk of talks) talk.start(inFlight);
    await new Promise((resolve) => setTimeout(resolve, measureMs));
    const durationsMs = talks.flatMap((talk) => talk.durationsMs);
    const elapsedMs = performance.now() - startMs;
    await Promise.race([Promise.all(talks.map((talk) => talk.stop())), late()]);
    return {
      messages: durationsMs.length,
      answered: talks.reduce((sum, { durationsMs }) => sum + durationsMs.length, 0),
      elapsedMs,
      p50Ms: quantile(durationsMs, 0.5),
      p99Ms: quantile(durationsMs, 0.99),
    };
  },
});

/** Of one client. Answers come in the order of the questions. */
class Talk {
  readonly durationsMs: number[] = [];
  readonly #socket: WebSocket;
  readonly #payload: Payload;
  readonly #ended = Promise.withResolvers<void>();
  readonly #sentMs: number[] = [];
  #asked = 0;
  #answered = 0;
  #isStopping = false;

  constructor(socket: WebSocket, payload: Payload) {
    this.#socket = socket;
    this.#payload = payload;
  }

  start(inFlight: number): void {
    this.#socket.on("message", this.#received);
    this.#socket.once("close", this.#lost);
    for (let i = 0; i < inFlight; i++) this.#ask();
  }

  /** Resolves when all that was asked is answered. */
  stop(): Promise<void> {
    this.#isStopping = true;
    return this.#ended.promise;
  }

  #ask(): void {
    this.#asked++;
    this.#sentMs[this.#asked] = performance.now();
    this.#socket.send(this.#payload.message(this.#asked));
  }

  readonly #received = (data: Buffer): void => {
    if (isNotice(data)) return;
    const n = this.#answered + 1;
    if (!this.#payload.isAnswer(data, n)) {
      this.#ended.reject(new Error(`not the answer to message ${n}: ${data.toString("latin1", 0, 200)}`));
      return;
    }
    this.#answered = n;
    this.durationsMs.push(performance.now() - (this.#sentMs[n] ?? Number.NaN));
    if (!this.#isStopping) this.#ask();
    else if (this.#answered === this.#asked) this.#end();
  };

  readonly #lost = (code: number): void => this.#ended.reject(new Error(`a client was closed with ${code}`));

  #end(): void {
    this.#socket.off("message", this.#received);
    this.#socket.off("close", this.#lost);
    this.#ended.resolve();
  }
}

/** What the gateway says of itself, at the beginning of a session: `{"type":…`. */
const isNotice = (data: Buffer): boolean => data[0] === 0x7b && data[2] === 0x74;

async function connected({ url, token }: Member): Promise<WebSocket> {
  const protocols = token === null ? [] : [SUBPROTOCOL, token];
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, skipUTF8Validation: true });
  await once(socket, "open");
  return socket;
}

async function late(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref());
  throw new Error(`after ${DRAIN_MS} ms answers were still missing`);
}
