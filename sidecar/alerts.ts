/** Tells whoever runs Hivegate what cannot wait until somebody looks: in the log, as a metric, and to a webhook if there is one. */
import { type Clock, pause } from "../shared/clock.ts";
import { LIMITS } from "../shared/limits.ts";
import type { Logger } from "./log.ts";

/** Each is a value of the label `kind` of `hivegate_alerts_total`. */
export const ALERT_KINDS = [
  /** Clients were taken back from the newer system's configurations; or, where that is switched off, should be. */
  "rollout_backed_out",
  "rollout_in_doubt",
  /** The older system's database does not have what the newer one has. */
  "old_database_behind",
  "old_database_differs",
  "config_conflict",
  "config_refused",
  "migration_rolled_back",
  "migration_in_doubt",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** `message` is for people; neither it nor `details`, which is JSON, may hold a secret. */
export type Alert = { kind: AlertKind; message: string; details?: Readonly<Record<string, unknown>> };

/** What the webhook is sent. `times`: so many equal ones since the last that was sent. */
export type SentAlert = Required<Alert> & { hive: string; at: number; times: number };

export type AlertsPorts = {
  hive: string;
  /** Null: nobody is sent them. It may hold a secret, so it is never logged. */
  webhookUrl: string | null;
  /** Hears of each one, joined or not. */
  count?(kind: AlertKind): void;
  clock: Clock;
  log: Pick<Logger, "error" | "warn">;
  fetch?: typeof fetch;
};

const JOINED_MS = 60_000;
/** Before the second and the third try. */
const PAUSES_MS = [1_000, 5_000];

export class Alerts {
  readonly #ports: AlertsPorts;
  /** How many came of each since it was told of last. */
  readonly #joined = new Map<string, { alert: Alert; times: number; cancel: () => void }>();
  readonly #waiting: SentAlert[] = [];
  readonly #ended = new AbortController();
  #sending: Promise<void> | null = null;

  constructor(ports: AlertsPorts) {
    this.#ports = ports;
  }

  /** Never throws and never waits. Equal ones within a minute are told of once, and then how many they were. */
  raise(alert: Alert): void {
    this.#ports.count?.(alert.kind);
    const key = `${alert.kind}\n${alert.message}`;
    const joined = this.#joined.get(key);
    if (joined) joined.times++;
    else if (this.#joined.size < LIMITS.alertsJoined) {
      const cancel = this.#ports.clock.after(JOINED_MS, () => this.#tellJoined(key));
      this.#joined.set(key, { alert, times: 0, cancel });
      this.#tell(alert, 1);
    } else this.#tell(alert, 1);
  }

  /** Resolves when everything that was raised is sent, or was given up. */
  async settled(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  /** Gives up what waits for another try. */
  close(): void {
    this.#ended.abort();
    for (const { cancel } of this.#joined.values()) cancel();
    this.#joined.clear();
  }

  #tellJoined(key: string): void {
    const joined = this.#joined.get(key);
    this.#joined.delete(key);
    if (joined && joined.times > 0) this.#tell(joined.alert, joined.times);
  }

  #tell(alert: Alert, times: number): void {
    const { log, webhookUrl, hive, clock } = this.#ports;
    const { kind, message, details = {} } = alert;
    log.error({ alert: kind, details, times }, message);
    if (webhookUrl === null) return;
    if (this.#waiting.length >= LIMITS.alertsWaiting) {
      log.warn({ alert: kind }, "an alert was not sent: too many wait for the webhook");
      return;
    }
    this.#waiting.push({ kind, message, details, hive, at: clock.now(), times });
    this.#sending ??= this.#sendAll(webhookUrl).finally(() => {
      this.#sending = null;
    });
  }

  async #sendAll(webhookUrl: string): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift())
      await this.#send(webhookUrl, next);
  }

  async #send(webhookUrl: string, alert: SentAlert): Promise<void> {
    const { clock, log } = this.#ports;
    for (const pauseMs of [...PAUSES_MS, null]) {
      const why = await this.#try(webhookUrl, alert);
      if (why === null) return;
      if (pauseMs === null || this.#ended.signal.aborted) {
        log.warn({ alert: alert.kind, why }, "an alert could not be sent to ALERT_WEBHOOK_URL");
        return;
      }
      await pause(clock, pauseMs, this.#ended.signal);
    }
  }

  /** Why it was not taken, without the address; null: it was. */
  async #try(webhookUrl: string, alert: SentAlert): Promise<string | null> {
    try {
      const response = await (this.#ports.fetch ?? fetch)(webhookUrl, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(alert),
        redirect: "error",
        signal: AbortSignal.any([this.#ended.signal, AbortSignal.timeout(LIMITS.alertTimeoutMs)]),
      });
      await response.body?.cancel();
      return response.ok ? null : `status ${response.status}`;
    } catch (thrown) {
      return thrown instanceof Error ? thrown.name : "unknown";
    }
  }
}
