import type { Clock } from "../../shared/clock.ts";
import type { Random } from "./random.ts";
import { type Tell, Wire } from "./wire.ts";

/** All connections there are. */
export class Net {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tell: Tell;
  readonly #wires = new Set<Wire>();

  /** `tell` hears of all that arrives. */
  constructor(clock: Clock, random: Random, tell: Tell) {
    this.#clock = clock;
    this.#random = random;
    this.#tell = tell;
  }

  connect(name: string): Wire {
    const base = this.#random.between(1, 30);
    const wire = new Wire(name, {
      clock: this.#clock,
      latencyMs: () => base + this.#random.pauseMs(40),
      tell: this.#tell,
    });
    this.#wires.add(wire);
    return wire;
  }

  /** Those that something may still come through. */
  wires(): Wire[] {
    for (const wire of this.#wires) if (wire.isOver) this.#wires.delete(wire);
    return [...this.#wires];
  }

  /** What a remote call takes one way. */
  delayMs(): number {
    return 1 + this.#random.pauseMs(60);
  }

  heal(): void {
    for (const wire of this.wires()) wire.heal();
  }
}
