import type { Identity, Scope } from "../../shared/auth/permission.ts";
import { ALL_PERMISSIONS } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { Random } from "./random.ts";

/** The tokens that were given out, and to whom. */
export class Tokens {
  readonly #identities = new Map<string, Identity>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  give(subject: string, scope: Scope, seesTasks: boolean, expiresMs: number): string {
    const token = this.#random.uuid();
    const permissions = ALL_PERMISSIONS.filter((permission) => seesTasks || permission !== "tasks:read");
    this.#identities.set(token, { subject, hives: ["*"], permissions, scope, expiresMs });
    return token;
  }

  of(token: string): Identity {
    const identity = this.#identities.get(token);
    if (!identity) throw new HivegateError("unauthorized");
    return identity;
  }

  /** @throws HivegateError `unauthorized`, `token_expired` */
  verify(token: string, nowMs: number): Identity {
    const identity = this.of(token);
    if (identity.expiresMs <= nowMs) throw new HivegateError("token_expired");
    return identity;
  }

  /** Whether somebody was ever given this scope. */
  knows(subject: string, scope: Scope): boolean {
    const wanted = JSON.stringify(scope);
    return [...this.#identities.values()].some(
      (identity) => identity.subject === subject && JSON.stringify(identity.scope) === wanted,
    );
  }
}
