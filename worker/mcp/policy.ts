/** Whether a client may do what it asks, so often, with so much: all that is decided before anything moves. */
import { anyOf } from "../../shared/auth/pattern.ts";
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { RateLimiter } from "../../shared/pressure/rate-limiter.ts";
import { qualifiedName } from "../../shared/protocol/qualified-name.ts";
import { isWholeHive } from "../../shared/swarm/view.ts";
import { type Access, accessOf } from "./access.ts";
import type { Rules } from "./rules.ts";
import { ToolRate } from "./tool-rate.ts";

export type PolicySettings = { rules: Rules; requestsPerSecond: number };

export class Policy {
  readonly #rules: Rules;
  /** By client. Each isolate counts for itself. */
  readonly #requests: RateLimiter;
  readonly #rates: { fits(name: string): boolean; rate: ToolRate }[];
  readonly #sizes: { fits(name: string): boolean; argumentBytes: number }[];
  /** A token that is remembered is always the same object. */
  readonly #known = new WeakMap<Identity, Access>();

  constructor({ rules, requestsPerSecond }: PolicySettings) {
    this.#rules = rules;
    this.#requests = new RateLimiter(
      { burst: 2 * requestsPerSecond, perSecond: requestsPerSecond },
      LIMITS.ratedSubjects,
    );
    this.#rates = rules.rates.map(({ tools, rate }) => ({
      ...anyOf(tools),
      rate: new ToolRate(rate),
    }));
    this.#sizes = rules.sizes.map(({ tools, argumentBytes }) => ({ ...anyOf(tools), argumentBytes }));
  }

  /** Whether some tool's arguments have a limit of their own. */
  get hasSizes(): boolean {
    return this.#sizes.length > 0;
  }

  /** @throws HivegateError `forbidden` when the token allows nothing of any MCP server */
  access(identity: Identity): Access {
    const access = this.accessIfAny(identity);
    if (!access.any)
      throw new HivegateError(
        "forbidden",
        "The token does not allow this: it lacks tools:call, or a part of it.",
      );
    return access;
  }

  /** The same, which may be of nothing. @throws HivegateError `forbidden` when the token is of a part of the hive */
  accessIfAny(identity: Identity): Access {
    const known = this.#known.get(identity);
    if (known) return known;
    // What tools say does not tell of which part of the hive it is.
    if (!isWholeHive(identity.scope))
      throw new HivegateError("forbidden", "Tools are of a whole hive, and the token shows a part of one.");
    const access = accessOf(identity, this.#rules.access);
    this.#known.set(identity, access);
    return access;
  }

  /** One request of this client's, whatever it is about. @throws HivegateError `rate_limited` */
  takeRequest({ subject }: Pick<Identity, "subject">, nowMs: number): void {
    this.#requests.take(subject, nowMs);
  }

  /**
   * One call of a tool. What the client may not see is as unknown as what is not there.
   * @throws HivegateError `forbidden`, `unknown_tool`, `rate_limited`, `body_too_large`
   */
  takeCall(
    identity: Identity,
    { server, tool, argumentBytes }: { server: string; tool: string; argumentBytes: number },
    nowMs: number,
  ): void {
    if (!this.access(identity).tool(server, tool)) throw unknownTool(tool);
    const name = qualifiedName(server, tool);
    this.#rates.find(({ fits }) => fits(name))?.rate.take(identity.subject, name, nowMs);
    const size = this.#sizes.find(({ fits }) => fits(name));
    const mostBytes = size?.argumentBytes ?? LIMITS.requestBodyBytes;
    if (argumentBytes > mostBytes)
      throw new HivegateError("body_too_large", `Send arguments of at most ${mostBytes} bytes to this tool.`);
  }
}

/** In the words of MCP's own servers; a long name is not said back whole. */
export const unknownTool = (tool: string): HivegateError =>
  new HivegateError("unknown_tool", `Unknown tool: ${tool.slice(0, 200)}`);
