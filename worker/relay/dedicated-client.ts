/** A client with an orchestrator connection of its own: every frame passes byte for byte, nothing is looked into. */
import type { ErrorCode } from "../../shared/errors.ts";
import { costOf } from "../../shared/relay/channel.ts";
import { ClientPipe, type PipePorts } from "./client-pipe.ts";
import { tally } from "./figures.ts";
import type { RelayedClient } from "./relayed-client.ts";

export type DedicatedClientPorts = Pick<
  PipePorts<string | Uint8Array>,
  "clock" | "link" | "counts" | "total" | "client" | "messagesPerSecond" | "busy" | "slowed"
>;

/** A stream with a hole is worth nothing: where one would be, the session ends. */
export class DedicatedClient implements RelayedClient {
  readonly mode = "dedicated";
  readonly pending = 0;
  readonly hearsNotices: boolean;
  readonly pipe: ClientPipe<string | Uint8Array>;
  readonly #ports: DedicatedClientPorts;

  /** Whether there is an orchestrator at the other end that knows of this client. */
  #hasBegun = false;

  constructor(ports: DedicatedClientPorts, options: { notices: boolean; number: number }) {
    this.#ports = ports;
    this.hearsNotices = options.notices;
    this.pipe = new ClientPipe(
      {
        ...ports,
        link: {
          send: (record) => {
            const outcome = ports.link.send(record);
            if (outcome !== "full") this.#hasBegun = true;
            return outcome;
          },
        },
        countOf: () => 1,
        pass: (data) => this.pipe.send({ data, urgent: false }),
        gaveUp: (_, why) => this.#giveUp(why),
      },
      options.number,
    );
  }

  allowed(): void {}

  mayUse(): void {}

  drain(): void {}

  receive(data: string | Uint8Array): boolean {
    this.pipe.submit(data, { cost: costOf(data), urgent: false });
    return true;
  }

  give(data: string | Uint8Array): void {
    this.#hasBegun = true;
    this.pipe.deliver(data, costOf(data));
  }

  refused({ code }: { code: ErrorCode }): void {
    this.#giveUp(code);
  }

  reset(number: number): void {
    if (this.#hasBegun) this.#giveUp("sidecar_unreachable");
    else for (const message of this.pipe.renew(number)) this.pipe.send(message);
  }

  #giveUp(code: ErrorCode): void {
    this.#ports.counts.givenUp++;
    tally(this.#ports.counts.ended, code);
    this.pipe.close();
    this.#ports.client.end(code);
  }
}
