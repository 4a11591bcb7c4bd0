import type { Clock } from "../../shared/clock.ts";
import { BREAKER_RULES, type BreakerRules } from "../../shared/pressure/breaker.ts";
import { Guard } from "../../shared/pressure/guarded.ts";
import type { Logger } from "../log.ts";
import type { BreakerStore } from "../mcp/servers.ts";
import {
  type OpenSocket,
  OrchestratorSocket,
  type OrchestratorSocketOptions,
} from "./orchestrator-socket.ts";

/** How orchestrators are connected to, as the configuration says it (`ORCHESTRATOR_*`). */
export type OrchestratorRules = {
  token: string | null;
  connectTimeoutMs: number;
  heartbeatMs: number;
  retryBaseMs: number;
  retryMaxMs: number;
  /** So many failures in a row open the circuit. */
  retryTries: number;
};

export type OrchestratorOptions = {
  rules: OrchestratorRules;
  breakers: BreakerStore;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Logger;
};

/** After its tries the circuit is open: one probe each `retryMaxMs`, or each time after twice as long until then. */
const breakerRules = ({
  retryTries,
  retryBaseMs,
  retryMaxMs,
  connectTimeoutMs,
}: OrchestratorRules): BreakerRules => ({
  ...BREAKER_RULES,
  failuresInARow: retryTries,
  leastOutcomes: Math.max(BREAKER_RULES.leastOutcomes, retryTries),
  firstMs: Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(retryTries, 30)),
  mostMs: retryMaxMs,
  successesToClose: 1,
  probeTimeoutMs: 2 * connectTimeoutMs,
});

/** One orchestrator, however many connections there are to it: its address and its circuit breaker. */
export class Orchestrator {
  readonly url: string;
  /** The address without user, password and query, which may be secrets. */
  readonly publicUrl: string;
  readonly options: OrchestratorOptions;
  readonly guard: Guard;
  /** When an attempt to connect failed; null when the last one succeeded, or there was none yet. */
  #failedMs: number | null = null;

  constructor(url: string, options: OrchestratorOptions) {
    this.url = url;
    this.options = options;
    const { rules, breakers, clock, random } = options;
    const { protocol, host, pathname } = new URL(url);
    this.publicUrl = `${protocol}//${host}${pathname}`;
    const name = `orchestrator:${host}${pathname}`;
    this.guard = new Guard({
      rules: breakerRules(rules),
      saved: breakers.load(name),
      changed: (state) => breakers.save(name, state),
      ...{ clock, random },
    });
  }

  /** It failed of late, so that others are better. After a while it is worth trying again. */
  get isFailing(): boolean {
    const { clock, rules } = this.options;
    return this.#failedMs !== null && clock.now() < this.#failedMs + rules.retryMaxMs;
  }

  /** An open socket. @throws HivegateError `circuit_open`; NotConnected */
  async open(ports: SocketPorts): Promise<OpenSocket> {
    try {
      const socket = await this.guard.run(
        () => connected(this, ports),
        () => (ports.signal.aborted ? null : true),
      );
      this.#failedMs = null;
      return socket;
    } catch (error) {
      if (!ports.signal.aborted) this.#failedMs = this.options.clock.now();
      throw error;
    }
  }
}

export type SocketPorts = Pick<OrchestratorSocketOptions, "onMessage" | "onRoom" | "onClose"> & {
  /** Ends an attempt that is no longer wanted. */
  signal: AbortSignal;
};

/** Why there is no connection, for the log alone. */
export class NotConnected extends Error {}

function connected({ url, options }: Orchestrator, ports: SocketPorts): Promise<OpenSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenSocket>();
  const { signal, onClose, ...listeners } = ports;
  let opened = false;
  const socket = new OrchestratorSocket({
    url,
    ...options.rules,
    ...listeners,
    onOpen: () => {
      opened = true;
      // From now on it is its owner's to close.
      signal.removeEventListener("abort", abort);
      resolve(socket);
    },
    onClose: (code, reason, error) => {
      signal.removeEventListener("abort", abort);
      if (opened) onClose(code, reason, error);
      else reject(new NotConnected(`no connection (${code})`, { cause: error }));
    },
  });
  const abort = () => socket.close(1001);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  return promise;
}
