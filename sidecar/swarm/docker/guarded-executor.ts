import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { BREAKER_RULES, type BreakerRules, type BreakerState } from "../../../shared/pressure/breaker.ts";
import { Guard } from "../../../shared/pressure/guarded.ts";
import type { Circuit } from "../../../shared/protocol/sidecar.ts";
import type { Logger } from "../../log.ts";
import type { BreakerStore } from "../../mcp/servers.ts";
import type { CommandResult, Executor, ExecutorHealth, Recovery } from "../executor.ts";
import { isAway } from "./docker-error.ts";

export type GuardedExecutorOptions = {
  executor: Executor;
  /** The name under which the breaker is kept. */
  name: string;
  breakers: BreakerStore;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Logger;
};

/**
 * One failure opens it, for a daemon that hangs costs whoever asks a whole timeout. It is looked whether the
 * container is back without anybody's asking, often enough that few requests find it closed off in vain.
 */
const RULES: BreakerRules = {
  ...BREAKER_RULES,
  failuresInARow: 1,
  leastOutcomes: 1,
  firstMs: 250,
  mostMs: 2_000,
  successesToClose: 1,
  probeTimeoutMs: 10_000,
};

/**
 * An executor behind a circuit breaker: while Docker or the container is away, commands fail at once. Only the
 * executor's own look at the container closes it again, so that no request has to be the one that tries.
 */
export class GuardedExecutor implements Executor {
  readonly #options: GuardedExecutorOptions;
  readonly #executor: Executor;
  readonly #guard: Guard;
  #isOpen: boolean;
  #why: string | null = null;
  #isClosed = false;
  #stopProbe = () => {};

  constructor(options: GuardedExecutorOptions) {
    this.#options = options;
    this.#executor = options.executor;
    const { breakers, name, clock, random } = options;
    this.#guard = new Guard({
      ...{ rules: RULES, clock, random },
      saved: breakers.load(name),
      changed: (state) => this.#changed(state),
    });
    this.#isOpen = this.circuit.state !== "closed";
    if (this.#isOpen) this.#probeLater();
  }

  get method(): Executor["method"] {
    return this.#executor.method;
  }

  get circuit(): Circuit {
    return this.#guard.circuit;
  }

  /** @throws HivegateError `circuit_open`, or as the executor's */
  run(...args: Parameters<Executor["run"]>): Promise<CommandResult> {
    return this.#guarded(() => this.#executor.run(...args));
  }

  /** @throws HivegateError `circuit_open`, or as the executor's */
  start(...args: Parameters<Executor["start"]>): ReturnType<Executor["start"]> {
    return this.#guarded(() => this.#executor.start(...args));
  }

  /** Not guarded: it is tried again for as long as it takes, and must not wait longer than it has to. */
  recover(...args: Parameters<Executor["recover"]>): Promise<Recovery> {
    return this.#executor.recover(...args);
  }

  /** @throws HivegateError `circuit_open`, or as the executor's */
  stop(...args: Parameters<Executor["stop"]>): Promise<void> {
    return this.#guarded(() => this.#executor.stop(...args));
  }

  health(): Promise<ExecutorHealth> {
    return this.#executor.health();
  }

  async canStart(): Promise<boolean> {
    return !this.#isOpen && (await this.#executor.canStart());
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#stopProbe();
    return this.#executor.close();
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isOpen) throw this.#closedOff();
    return this.#guard.run(call, (error) => {
      if (!isAway(error)) return null;
      this.#why = error instanceof HivegateError ? error.message : null;
      return true;
    });
  }

  #closedOff(): HivegateError {
    return new HivegateError(
      "circuit_open",
      this.#why === null ? undefined : `${this.#why} It is tried again by itself.`,
    );
  }

  #probeLater(): void {
    this.#stopProbe();
    if (this.#isClosed) return;
    this.#stopProbe = this.#options.clock.after(this.#guard.retryInMs, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    // What it comes to is seen in the circuit. A timer may be early, and then there was no probe.
    await this.#guard
      .run(
        () => this.#mustBeWell(),
        () => true,
      )
      .catch(() => {});
    if (this.#isOpen) this.#probeLater();
  }

  async #mustBeWell(): Promise<void> {
    const { running, details } = await this.#executor.health();
    if (!running) throw new HivegateError("swarm_unavailable", undefined, { cause: details });
  }

  #changed(state: BreakerState): void {
    const { breakers, name, log } = this.#options;
    // A probe opens it half, and again when it fails: to those who use it, it is closed off all the while.
    const isOpen = state.phase !== "closed";
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    log.info({ circuit: state.phase, why: this.#why }, "Docker's circuit changed");
    breakers.save(name, state);
    if (isOpen) this.#probeLater();
    else this.#why = null;
  }
}
