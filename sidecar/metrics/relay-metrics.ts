import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { ERROR_CODES } from "../../shared/errors.ts";
import type { OrchestratorsAnswer } from "../../shared/relay/orchestrators.ts";
import type { RelayMetrics } from "../relay/metrics.ts";

export type RelaySources = {
  /** Counts by itself; `answered` is taken over. */
  counts: RelayMetrics;
  orchestrators(): OrchestratorsAnswer["orchestrators"];
};

const ANSWER_BUCKETS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];

/** The relay's plain numbers are read when somebody asks: a message costs it no more than it did. */
export function watchRelay(registry: Registry, { counts, orchestrators }: RelaySources): void {
  const registers = [registry];
  const counter = (name: string, help: string, label: string, read: () => Record<string, number>) =>
    new Counter({
      ...{ name, help, registers, labelNames: [label] },
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
      },
    });
  const plain = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });

  counter(
    "hivegate_relay_messages_total",
    "Messages that the relay passed on.",
    "direction",
    () => counts.messages,
  );
  counter(
    "hivegate_relay_bytes_total",
    "Bytes of the messages that the relay passed on (of a text: its characters).",
    "direction",
    () => counts.bytes,
  );
  // With all codes from the start, so that a rate sees the first error as well.
  const none = Object.fromEntries(ERROR_CODES.map((code) => [code, 0]));
  counter(
    "hivegate_relay_errors_total",
    "Messages that were refused or given up; each sender was told.",
    "code",
    () => ({ ...none, ...counts.errors }),
  );
  plain(
    "hivegate_relay_unclaimed_answers_total",
    "Answers of orchestrators that nobody waited for any more.",
    () => counts.unclaimed,
  );
  plain(
    "hivegate_relay_audit_lost_total",
    "Lines of the relay's audit that there was no room for.",
    () => counts.auditLost,
  );

  const answers = new Histogram({
    name: "hivegate_relay_answer_duration_seconds",
    help: "From a relayed request to its orchestrator's answer.",
    buckets: ANSWER_BUCKETS_S,
    registers,
  });
  counts.answered = (durationMs) => answers.observe(durationMs / 1000);

  new Gauge({
    name: "hivegate_relay_links",
    help: "Links to gateways.",
    registers,
    collect() {
      this.set(counts.links);
    },
  });
  new Gauge({
    name: "hivegate_relay_sessions",
    help: "Clients on the relay.",
    labelNames: ["mode"],
    registers,
    collect() {
      for (const [mode, count] of Object.entries(counts.sessions)) this.set({ mode }, count);
    },
  });
  new Gauge({
    name: "hivegate_relay_orchestrator",
    help: "1 for the state that the shared connection to an orchestrator is in; idle: nobody needs it.",
    labelNames: ["orchestrator", "state"],
    registers,
    collect() {
      this.reset();
      for (const { url, state } of orchestrators()) this.set({ orchestrator: url, state }, 1);
    },
  });
  new Gauge({
    name: "hivegate_relay_pending_requests",
    help: "Relayed requests that wait for an orchestrator's answer.",
    labelNames: ["orchestrator"],
    registers,
    collect() {
      this.reset();
      for (const { url, pending } of orchestrators()) this.set({ orchestrator: url }, pending);
    },
  });
}
