/** What all parts of the gateway share, made once per configuration. */
import { TokenVerifier } from "../shared/auth/token.ts";
import { HivegateError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import type { GatewayConfig } from "./config.ts";
import { SidecarClient } from "./sidecar-client.ts";
import { webMacKey, webSha256 } from "./web-crypto.ts";

export class Gateway {
  readonly tokens: TokenVerifier;
  readonly #sidecars = new Map<string, SidecarClient>();

  constructor(config: GatewayConfig) {
    this.tokens = new TokenVerifier(config.jwtSecret, LIMITS.verifiedTokens);
    for (const { hive, url, kid, key } of config.hives.values()) {
      this.#sidecars.set(
        hive,
        new SidecarClient({
          hive,
          url,
          key: webMacKey(kid, key),
          fetch: (target, init) => fetch(target, init),
          sha256: webSha256,
          now: () => Date.now(),
          nonce: () => crypto.randomUUID(),
        }),
      );
    }
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
