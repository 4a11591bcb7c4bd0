/** What all parts of the gateway share, made once per configuration. */
import { TokenVerifier } from "../shared/auth/token.ts";
import { pause, platformClock } from "../shared/clock.ts";
import { HivegateError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { RateLimiter } from "../shared/pressure/rate-limiter.ts";
import { Tries } from "../shared/pressure/tries.ts";
import type { HybridHealth } from "../shared/protocol/sidecar.ts";
import { Tracer } from "../shared/trace/tracer.ts";
import type { GatewayConfig, HiveConfig } from "./config.ts";
import { ApiKeys } from "./configs/api-keys.ts";
import { hybridHealth } from "./health.ts";
import { log } from "./log.ts";
import { AnswerCache } from "./mcp/cache.ts";
import { type Deliver, ToolEvents } from "./mcp/events.ts";
import { Policy } from "./mcp/policy.ts";
import { RegistryView } from "./mcp/registry-view.ts";
import type { McpSettings } from "./mcp/settings.ts";
import { ToolStreams } from "./mcp/streams.ts";
import { ToolCalls } from "./mcp/tool-calls.ts";
import type { RelaySettings } from "./relay/settings.ts";
import { SidecarClient } from "./sidecar-client.ts";
import { trustedIssuer } from "./trusted-issuer.ts";
import { randomHex, webMacKey, webSha256 } from "./web-crypto.ts";

export class Gateway {
  readonly tokens: TokenVerifier;
  readonly relay: RelaySettings;
  readonly mcp: McpSettings;
  /** Who may call which tools. */
  readonly policy: Policy;
  /** Which tools there are. */
  readonly registry = new RegistryView((hive, question) => this.sidecar(hive).registry(question), Date.now);
  readonly cache = new AnswerCache({ registry: this.registry, sha256: webSha256, now: Date.now });
  readonly toolCalls: ToolCalls;
  readonly toolStreams: ToolStreams;
  /** Those of clients that have no tokens. */
  readonly apiKeys: ApiKeys;
  /** Requests over HTTP, by subject. Each isolate counts for itself. */
  readonly requests = new RateLimiter(
    { burst: LIMITS.requestBurst, perSecond: LIMITS.requestsPerSecond },
    LIMITS.ratedSubjects,
  );
  /** Sessions opened, likewise. */
  readonly sessions = new RateLimiter(
    { burst: LIMITS.sessionBurst, perSecond: LIMITS.sessionsPerSecond },
    LIMITS.ratedSubjects,
  );
  /** Requests over HTTP that make the swarm's host look, likewise. */
  readonly lookUps = new RateLimiter(
    { burst: LIMITS.lookUpBurst, perSecond: LIMITS.lookUpsPerSecond },
    LIMITS.ratedSubjects,
  );
  readonly tracer: Tracer;
  /** What is remembered of each request. */
  readonly events: ToolEvents;
  readonly #hives: ReadonlyMap<string, HiveConfig>;
  readonly #sidecars = new Map<string, SidecarClient>();
  readonly #health = new Map<string, HybridHealth>();
  readonly #questions = new Map<string, Tries>();

  constructor(config: GatewayConfig, deliver: Deliver) {
    this.relay = config.relay;
    this.#hives = config.hives;
    const background = {
      pause: (delayMs: number) => pause(platformClock, delayMs),
      now: Date.now,
      uuid: () => crypto.randomUUID(),
      log,
    };
    this.tracer = new Tracer({
      settings: config.traces,
      resource: { service: "hivegate-gateway", version: null },
      fetch: (url, init) => fetch(url, init),
      randomHex,
      ...background,
    });
    this.events = new ToolEvents({
      hives: [...config.hives.keys()],
      keepArguments: config.auditArguments,
      tracer: this.tracer,
      deliver,
      ...background,
    });
    this.mcp = config.mcp;
    this.policy = new Policy(config.mcp);
    const calls = {
      ...{ policy: this.policy, events: this.events, tracer: this.tracer },
      sidecar: (hive: string) => this.sidecar(hive),
      now: Date.now,
      uuid: () => crypto.randomUUID(),
    };
    this.toolStreams = new ToolStreams(calls);
    this.toolCalls = new ToolCalls({ ...calls, cache: this.cache });
    const trusted = config.issuer && trustedIssuer(config.issuer, Date.now);
    this.apiKeys = new ApiKeys(config.apiKeys, webSha256);
    this.tokens = new TokenVerifier({ secret: config.jwtSecret, trusted }, LIMITS.verifiedTokens);
    for (const { hive, url, kid, key } of config.hives.values()) {
      this.#questions.set(hive, new Tries(LIMITS.healthQuestions, LIMITS.healthKeptMs));
      this.#sidecars.set(
        hive,
        new SidecarClient({
          hive,
          url,
          key: webMacKey(kid, key),
          fetch: (target, init) => fetch(target, init),
          sha256: webSha256,
          clock: platformClock,
          nonce: () => crypto.randomUUID(),
          heardRegistry: (version) => this.registry.heard(hive, version),
        }),
      );
    }
  }

  /**
   * A hive's health, at most a second old. Anybody may ask, so an answer is kept; only answers are shared
   * between requests, because Workers may not wait for another request's work.
   */
  async health(hive: string, now: () => number): Promise<HybridHealth> {
    const kept = this.#health.get(hive);
    if (kept && now() - kept.timestamp < LIMITS.healthKeptMs) return kept;
    const sidecar = this.sidecar(hive);
    if (!this.#questions.get(hive)?.take(now())) throw new HivegateError("overloaded");
    const health = await hybridHealth(sidecar, now());
    this.#health.set(hive, { ...health, timestamp: now() });
    return health;
  }

  /** Where the hive's sidecar is, and with which key requests to it are signed. @throws HivegateError `unknown_hive` */
  hive(name: string): HiveConfig {
    const hive = this.#hives.get(name);
    if (!hive) throw new HivegateError("unknown_hive");
    return hive;
  }

  get firstHive(): string {
    return this.#sidecars.keys().next().value ?? "";
  }

  /** @throws HivegateError `unknown_hive` */
  sidecar(hive: string): SidecarClient {
    const sidecar = this.#sidecars.get(hive);
    if (!sidecar) throw new HivegateError("unknown_hive");
    return sidecar;
  }
}
