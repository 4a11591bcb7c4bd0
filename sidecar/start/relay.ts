/** The way to the orchestrators, and the record of what went along it. */
import type { IncomingMessage } from "node:http";
import { resolve } from "node:path";
import { platformClock } from "../../shared/clock.ts";
import { RelayAudit } from "../relay/audit.ts";
import { RelayMetrics } from "../relay/metrics.ts";
import { Orchestrators } from "../relay/orchestrators.ts";
import { RelayServer } from "../relay/relay-server.ts";
import type { Ground } from "./ground.ts";
import { StartError, whyOf } from "./start-error.ts";

export type RelayPart = {
  orchestrators: Orchestrators;
  /** What takes the upgrades that `checkUpgrade` lets in. */
  serve(checkUpgrade: (request: IncomingMessage) => Promise<void>): RelayServer;
};

/** @throws StartError */
export function openRelay(ground: Ground): RelayPart {
  const { config, ledger, log } = ground;
  const metrics = new RelayMetrics();
  const audit = openAudit(ground, metrics);
  const shared = { audit, metrics, clock: platformClock, log };
  const orchestrators = new Orchestrators({
    urls: config.orchestratorUrls,
    rules: config.orchestrator,
    breakers: ledger.breakers(log),
    random: Math.random,
    ...shared,
  });
  ground.metrics.watchRelay({ counts: metrics, orchestrators: () => orchestrators.answer().orchestrators });
  return {
    orchestrators,
    serve: (checkUpgrade) => new RelayServer({ orchestrators, checkUpgrade, ...shared }),
  };
}

function openAudit({ config, log }: Ground, metrics: RelayMetrics): RelayAudit {
  try {
    const file = resolve(config.stateDir, "relay-audit.jsonl");
    return new RelayAudit({ file, withContent: config.auditContent, now: Date.now, metrics, log });
  } catch (cause) {
    throw new StartError(`SIDECAR_STATE_DIR: ${whyOf(cause)}`, { cause });
  }
}
