import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import { LISTEN } from "./exchange-time.ts";
import type { Notification } from "./json-rpc-session.ts";
import { isRecord } from "./record.ts";
import type { ServerInfo } from "./upstream.ts";

const LISTS = ["tools", "prompts", "resources"] as const;

/** That any of them may be another one now. */
export const LISTS_CHANGED: readonly Notification[] = LISTS.map((list) => ({
  method: `notifications/${list}/list_changed`,
  params: {},
}));

/** What to ask a server of 2026 so that it tells of changes in its lists; null: it would tell of none. */
export function listenFor({ era, capabilities }: ServerInfo): McpRequest | null {
  const tells = LISTS.filter((list) => {
    const capability = capabilities[list];
    return isRecord(capability) && capability.listChanged === true;
  });
  if (era !== "2026" || tells.length === 0) return null;
  const notifications = Object.fromEntries(tells.map((list) => [`${list}ListChanged`, true]));
  return { method: LISTEN, params: { notifications } };
}

/** What a server says that has no such subscription, now or later. */
const REFUSALS: ReadonlySet<number> = new Set([-32601, -32602]);

/** Hivegate's own subscription to a server's changes, on behalf of everybody. */
export class ListChanges {
  readonly #request: McpRequest;
  readonly #ask: (request: McpRequest) => Promise<McpAnswer>;
  #state: "none" | "open" | "refused" = "none";
  #openedMs = -Infinity;

  constructor(request: McpRequest, ask: (request: McpRequest) => Promise<McpAnswer>) {
    this.#request = request;
    this.#ask = ask;
  }

  /** Subscribes where it is not subscribed. True: it had been, so changes may have been missed. */
  keep(nowMs: number): boolean {
    if (this.#state !== "none" || nowMs < this.#openedMs + LIMITS.mcpListenAgainMs) return false;
    const isAnew = this.#openedMs > -Infinity;
    this.#openedMs = nowMs;
    this.#state = "open";
    const over = (answer: McpAnswer | null) => {
      this.#state = answer && "error" in answer && REFUSALS.has(answer.error.code) ? "refused" : "none";
    };
    this.#ask(this.#request).then(over, () => over(null));
    return isAnew;
  }
}
