/** Tells the sidecar how often the clients of the open stream want news: one message at a time, the last word last. */
import { type Clock, pause } from "../../shared/clock.ts";

export type DemandPorts = {
  clock: Clock;
  demand(reader: string, intervalMs: number | null): Promise<void>;
  log(message: string, error: unknown): void;
};

type Stream = { reader: string; told: number | null; isTelling: boolean };

const RETRY_MS = 1_000;

export class DemandLine {
  readonly #ports: DemandPorts;
  #wanted: number | null = null;
  #stream: Stream | null = null;

  constructor(ports: DemandPorts) {
    this.#ports = ports;
  }

  /** A stream is open whose request said `told`. What still waits for an answer about another is let be. */
  open(reader: string, told: number | null): void {
    this.#stream = { reader, told, isTelling: false };
  }

  /** The stream is gone; the next one's request will say what is wanted. */
  close(): void {
    this.#stream = null;
  }

  want(intervalMs: number | null): void {
    this.#wanted = intervalMs;
    if (this.#stream && !this.#stream.isTelling) void this.#tell(this.#stream);
  }

  async #tell(stream: Stream): Promise<void> {
    stream.isTelling = true;
    while (this.#stream === stream && stream.told !== this.#wanted) {
      const told = this.#wanted;
      try {
        await this.#ports.demand(stream.reader, told);
        stream.told = told;
      } catch (error) {
        this.#ports.log("telemetry demand", error);
        await pause(this.#ports.clock, RETRY_MS);
      }
    }
    stream.isTelling = false;
  }
}
