/** A client of the orchestrator's shared connection: JSON-RPC within its role's rights, without secrets. */
import { type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { costOf, type GivenUp } from "../../shared/relay/channel.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { errorFrame } from "../session/error-frame.ts";
import { ClientPipe, type PipePorts } from "./client-pipe.ts";
import { tally } from "./figures.ts";
import { isUrgent, pick, RESPONSE, type Rpc, readFromOrchestrator, readRpc, sameId } from "./message.ts";
import { PendingRequests, rpcError } from "./pending.ts";
import { redact } from "./redact.ts";
import type { RelayedClient } from "./relayed-client.ts";
import type { Rights } from "./roles.ts";
import type { RelaySettings } from "./settings.ts";
import { isTooLarge } from "./size.ts";

export type SharedClientPorts = Pick<
  PipePorts<Said>,
  "clock" | "link" | "counts" | "total" | "client" | "messagesPerSecond" | "slowed" | "busy"
> & {
  redact: RelaySettings["redact"];
  tell(frame: GatewayFrame): void;
  audit(refused: { name: string; code: ErrorCode }): void;
};

type Said = { text: string; rpcs: readonly Rpc[]; urgent: boolean };

export class SharedClient implements RelayedClient {
  readonly mode = "shared";
  readonly pipe: ClientPipe<Said>;
  readonly #ports: SharedClientPorts;
  readonly #pending = new PendingRequests();
  #rights: Rights;
  /** What is in the messages that wait to be sent. */
  readonly #rpcsOf = new WeakMap<RelayMessage, readonly Rpc[]>();
  /** Requests of the orchestrator's that this client was given and has not answered; the oldest are forgotten. */
  readonly #asked = new Set<string>();
  #isDraining = false;
  /** Whether something was sent of which no answer tells that it arrived. */
  #hasNotified = false;

  constructor(ports: SharedClientPorts, rights: Rights, number: number) {
    this.#ports = ports;
    this.#rights = rights;
    this.pipe = new ClientPipe(
      {
        ...ports,
        countOf: ({ rpcs }) => rpcs.length,
        pass: (said) => this.#say(said),
        gaveUp: (message, why) => this.#gaveUp(message, why),
      },
      number,
    );
  }

  get pending(): number {
    return this.#pending.size;
  }

  get hearsNotices(): boolean {
    return true;
  }

  allowed(rights: Rights): void {
    this.#rights = rights;
  }

  /** @throws HivegateError `forbidden` when the role does not allow a frame of this type */
  mayUse(type: string): void {
    if (!this.#rights.maySend(type)) throw this.#forbidden(type);
  }

  /** From now on requests are refused. */
  drain(): void {
    this.#isDraining = true;
  }

  receive(data: string | Uint8Array): boolean {
    if (typeof data !== "string") return false;
    const rpcs = readRpc(data);
    if (!rpcs) return false;
    const [{ cancels } = NOTHING] = rpcs;
    const found = cancels === undefined ? "nowhere" : this.#takeBack(cancels);
    if (found === "alone") return true;
    const urgent = found !== "among others" && rpcs.every(({ name }) => isUrgent(name));
    this.pipe.submit({ text: data, rpcs, urgent }, { cost: costOf(data), urgent });
    return true;
  }

  give(data: string | Uint8Array): void {
    const cost = costOf(data);
    // JSON-RPC is text; nobody could say what is in anything else.
    const seen = typeof data === "string" ? this.#seen(data) : null;
    if (typeof data !== "string") this.#ports.counts.dropped++;
    if (seen === null) this.pipe.drop(cost);
    else this.pipe.deliver(seen, cost);
  }

  refused({ id, code, message }: { id: string | null; code: ErrorCode; message: string }): void {
    this.#ports.counts.givenUp++;
    this.#fail(id, new HivegateError(code, message));
  }

  reset(number: number): void {
    const unsent = this.pipe.renew(number);
    this.#asked.clear();
    for (const id of unsent.flatMap((message) => this.#idsOf(message))) this.#pending.remove(id);
    const error = new HivegateError("sidecar_unreachable", LOST_REQUEST);
    for (const id of this.#pending.takeAll()) {
      this.#ports.counts.givenUp++;
      this.#deliver(rpcError(id, error));
    }
    if (this.#hasNotified) this.#fail(null, new HivegateError("sidecar_unreachable", LOST_MESSAGES));
    this.#hasNotified = false;
    for (const message of unsent) {
      for (const id of this.#idsOf(message)) this.#pending.add(id);
      this.pipe.send(message);
    }
  }

  /** A request that still waits is not sent, but answered by an error; one of a batch is sent, before its cancellation. */
  #takeBack(id: string): "alone" | "among others" | "nowhere" {
    let isAmongOthers = false;
    const isWanted = (rpcs: readonly Rpc[]) => {
      const isIn = rpcs.some((rpc) => requestId(rpc) === id);
      if (isIn && rpcs.length > 1) isAmongOthers = true;
      return isIn && rpcs.length === 1;
    };
    const { said, messages } = this.pipe.takeOut(
      ({ rpcs }) => isWanted(rpcs),
      (message) => isWanted(this.#rpcsOf.get(message) ?? []),
    );
    // What was only said waits for no answer yet.
    for (const _ of messages) this.#pending.remove(id);
    const error = new HivegateError("swarm_unavailable", CANCELLED);
    for (const _ of [...said, ...messages]) this.#deliver(rpcError(id, error));
    if (said.length + messages.length > 0) return "alone";
    return isAmongOthers ? "among others" : "nowhere";
  }

  /** What the client said, now that it is its turn. A batch passes as a whole, or not at all. */
  #say({ text, rpcs, urgent }: Said): void {
    if (rpcs.length > LIMITS.relayBatchParts) {
      this.#refuse([{ id: null, name: "batch" }], new HivegateError("invalid_request", TOO_MANY));
      return;
    }
    const refusal = this.#refusal(rpcs);
    const data = this.#ports.redact === "both" && !refusal ? redact(text) : text;
    if (refusal || isTooLarge(data)) {
      this.#refuse(rpcs, refusal ?? new HivegateError("frame_too_large", GROWN));
      return;
    }
    for (const rpc of rpcs) {
      const id = requestId(rpc);
      if (id === null) this.#hasNotified = true;
      else this.#pending.add(id);
    }
    const message = { data, urgent };
    this.#rpcsOf.set(message, rpcs);
    this.pipe.send(message);
  }

  #refusal(rpcs: readonly Rpc[]): HivegateError | null {
    if (this.#isDraining) return new HivegateError("shutting_down");
    const forbidden = rpcs.find((rpc) => !this.#maySend(rpc));
    if (forbidden) return this.#forbidden(forbidden.name);
    if (this.#pending.size + rpcs.length > LIMITS.relayPendingRequests) {
      return new HivegateError(
        "overloaded",
        `At most ${LIMITS.relayPendingRequests} requests wait for answers.`,
      );
    }
    return null;
  }

  /** What it was asked it may answer, whatever its role. */
  #maySend({ id, name }: Rpc): boolean {
    const isAnswer = name === RESPONSE && id !== null && this.#asked.delete(id);
    return isAnswer || this.#rights.maySend(name);
  }

  #forbidden(name: string): HivegateError {
    const { role } = this.#rights;
    return new HivegateError(
      "forbidden",
      `The role ${role} may not send this: ${name.slice(0, NAME_CHARS)}.`,
    );
  }

  #refuse(rpcs: readonly Rpc[], error: HivegateError): void {
    for (const rpc of rpcs) {
      tally(this.#ports.counts.refused, error.code);
      this.#ports.audit({ name: rpc.name.slice(0, NAME_CHARS), code: error.code });
      const id = requestId(rpc);
      if (id === null) this.#tellError(error);
      else this.#deliver(rpcError(id, error));
    }
  }

  #gaveUp(message: RelayMessage, why: GivenUp): void {
    const error = new HivegateError(why, why === "timeout" ? HELD_TOO_LONG : HELD_TOO_MUCH);
    for (const rpc of this.#rpcsOf.get(message) ?? []) {
      this.#ports.counts.givenUp++;
      this.#ports.audit({ name: rpc.name.slice(0, NAME_CHARS), code: why });
      this.#fail(requestId(rpc), error);
    }
  }

  #idsOf(message: RelayMessage): string[] {
    return (this.#rpcsOf.get(message) ?? []).map(requestId).filter((id) => id !== null);
  }

  /** What of a text the client may see; null: nothing. */
  #seen(text: string): string | null {
    const { receivesAll, mayReceive, maySend } = this.#rights;
    let seen = text;
    if (!receivesAll || !maySend(RESPONSE) || this.#pending.size > 0) {
      const rpcs = readFromOrchestrator(text);
      for (const { id, name } of rpcs) if (name === RESPONSE && id !== null) this.#pending.remove(id);
      const isHidden = ({ name }: Rpc) => name !== RESPONSE && !mayReceive(name);
      const hidden = receivesAll ? [] : rpcs.filter(isHidden);
      for (const { id } of hidden) if (id !== null) this.#decline(id);
      for (const rpc of rpcs) if (!hidden.includes(rpc)) this.#remember(requestId(rpc));
      if (hidden.length === rpcs.length && hidden.length > 0) return null;
      if (hidden.length > 0) seen = pick(text, (index) => !isHidden(rpcs[index] ?? NOTHING));
    }
    return this.#ports.redact === "off" ? seen : redact(seen);
  }

  #remember(asked: string | null): void {
    if (asked === null) return;
    this.#asked.add(asked);
    const [oldest] = this.#asked;
    if (this.#asked.size > LIMITS.relayPendingRequests && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** A request of the orchestrator's that this client does not see must not wait for it. */
  #decline(id: string): void {
    this.pipe.send({ data: rpcError(id, new HivegateError("forbidden", NOT_ASKED)), urgent: false });
  }

  /** An error in place of an answer, or a frame where none was due. */
  #fail(id: string | null, error: HivegateError): void {
    if (id === null) {
      this.#tellError(error);
      return;
    }
    this.#pending.remove(sameId(id));
    this.#deliver(rpcError(id, error));
  }

  #tellError(error: HivegateError): void {
    this.#ports.tell(errorFrame(error, this.#ports.clock.now()));
  }

  #deliver(text: string): void {
    this.#ports.client.answer(text);
  }
}

/** Which answer it waits for. An answer of the client's own has the orchestrator's id. */
const requestId = ({ id, name }: Rpc): string | null => (name === RESPONSE ? null : id);

const NOTHING: Rpc = { id: null, name: RESPONSE };
const NAME_CHARS = 100;
const LOST_REQUEST =
  "The way to the orchestrator was lost. The request may have taken effect: look before you repeat it.";
const LOST_MESSAGES = "The way to the orchestrator was lost. Messages without an id may not have arrived.";
const HELD_TOO_MUCH = "Too much waits for the orchestrator. This message was not sent: try again later.";
const HELD_TOO_LONG =
  "The orchestrator could not be reached in time. This message was not sent: try again later.";
const TOO_MANY = `At most ${LIMITS.relayBatchParts} messages in a batch. None of these was sent.`;
const GROWN = "With its secrets replaced this is too large. Send a smaller message, and no secrets.";
const CANCELLED = "The request was cancelled before it was sent.";
const NOT_ASKED = "This client may not be asked that.";
