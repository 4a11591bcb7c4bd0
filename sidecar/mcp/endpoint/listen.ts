/** `subscriptions/listen`: one stream of the changes that a 2026 client wants to hear of, until one side ends it. */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Notification } from "../json-rpc-session.ts";
import type { ServerInfo } from "../upstream.ts";
import { Answer, plainSink } from "./answer.ts";
import { failure, routeOf } from "./exchange.ts";
import { recordOr } from "./fields.ts";
import { headersFor } from "./head.ts";
import { answerText, type ClientRequest, notificationText } from "./json-rpc.ts";
import type { Incoming, Shared } from "./ports.ts";
import { invalidParams, Refused } from "./refused.ts";
import { ACKNOWLEDGED, isListChange, LIST_CHANGES, META } from "./revisions.ts";

export const ListenFilter = z.object({
  toolsListChanged: z.boolean().optional(),
  promptsListChanged: z.boolean().optional(),
  resourcesListChanged: z.boolean().optional(),
  resourceSubscriptions: z
    .array(z.string().max(LIMITS.mcpWatchedUriChars))
    .max(LIMITS.mcpSubscriptionsPerClient)
    .optional(),
});
export type ListenFilter = z.infer<typeof ListenFilter>;

/** What of it the server can tell of at all. */
export function honoured(
  filter: ListenFilter,
  { capabilities }: Pick<ServerInfo, "capabilities">,
): ListenFilter {
  const kept: ListenFilter = {};
  for (const { filter: field, capability } of Object.values(LIST_CHANGES))
    if (filter[field] && recordOr(capabilities[capability]).listChanged === true) kept[field] = true;
  const uris = [...new Set(filter.resourceSubscriptions)];
  if (uris.length > 0 && recordOr(capabilities.resources).subscribe === true)
    kept.resourceSubscriptions = uris;
  return kept;
}

/** @throws Refused */
export function listen(shared: Shared, incoming: Incoming, request: ClientRequest): Promise<Response> {
  const filter = ListenFilter.safeParse(request.params.notifications);
  if (!filter.success) {
    const message = "notifications: expected a filter that says what to listen to.";
    throw new Refused(400, invalidParams(message), request.id);
  }
  const listening = new Listening(shared, incoming, request);
  listening.begin(filter.data).catch((thrown) => listening.fail(thrown));
  return listening.response;
}

class Listening {
  readonly #shared: Shared;
  readonly #incoming: Incoming;
  readonly #id: ClientRequest["id"];
  readonly #answer: Answer;
  readonly #stops: (() => void)[] = [];
  #isOver = false;

  constructor(shared: Shared, incoming: Incoming, { id }: ClientRequest) {
    this.#shared = shared;
    this.#incoming = incoming;
    this.#id = id;
    const stop = () => this.#stop();
    this.#answer = new Answer({
      pulse: shared.pulse,
      headers: () => headersFor(shared.ports),
      mayStream: true,
      openSink: () => plainSink(shared.pulse, incoming.client, stop),
    });
    incoming.signal.addEventListener("abort", stop);
  }

  get response(): Promise<Response> {
    return this.#answer.response;
  }

  async begin(filter: ListenFilter): Promise<void> {
    const { listens, subscriptions } = this.#shared;
    const { upstream, client, server } = this.#incoming;
    this.#stops.push(listens.add(client, server, () => this.end()));
    const agreed = honoured(filter, await upstream.info());
    // What comes before the acknowledgement waits: it has to be the first that the client hears.
    const early: Notification[] = [];
    let hear = (notification: Notification): void => void early.push(notification);
    const unlisten = upstream.onNotification((notification) => {
      const { method } = notification;
      if (isListChange(method) && agreed[LIST_CHANGES[method].filter]) hear(notification);
    });
    this.#stops.push(unlisten);
    const uris: string[] = [];
    for (const uri of agreed.resourceSubscriptions ?? []) {
      const { upstream: to } = await routeOf(this.#incoming, {
        method: "resources/subscribe",
        params: { uri },
      });
      const watched = await subscriptions.add(to, uri, client, (notification) => hear(notification));
      if (typeof watched !== "function") continue;
      uris.push(uri);
      this.#stops.push(watched);
    }
    // It may have ended meanwhile: then what was begun since is stopped as well.
    if (this.#isOver) return this.end();
    const notifications = { ...agreed, ...(agreed.resourceSubscriptions && { resourceSubscriptions: uris }) };
    this.#send({ method: ACKNOWLEDGED, params: { notifications } });
    hear = (notification) => this.#send(notification);
    for (const notification of early) hear(notification);
    if (Object.keys(agreed).length === 0) this.end();
  }

  /** The server's end of it: the client hears that it is over. */
  end(): void {
    const result = { resultType: "complete", _meta: { [META.subscriptionId]: this.#id } };
    this.#answer.end(answerText(this.#id, { result }));
    this.#stop();
  }

  fail(thrown: unknown): void {
    this.#answer.end(answerText(this.#id, failure(thrown, this.#shared.ports.log)));
    this.#stop();
  }

  #send({ method, params }: Notification): void {
    const _meta = { ...recordOr(params._meta), [META.subscriptionId]: this.#id };
    this.#answer.before(notificationText({ method, params: { ...params, _meta } }));
  }

  #stop(): void {
    this.#isOver = true;
    for (const stop of this.#stops.splice(0)) stop();
  }
}

/** `server` null: all of them. */
type OpenListen = { server: string | null; end: () => void };

/** All streams of changes that are open. */
export class Listens {
  readonly #ofClient = new Map<string, Set<OpenListen>>();

  get size(): number {
    return this.#all().length;
  }

  /** `end` ends the stream. Gives what has to be called when it is over. @throws HivegateError `overloaded` */
  add(client: string, server: string | null, end: () => void): () => void {
    const own = this.#ofClient.get(client) ?? new Set();
    if (own.size >= LIMITS.mcpListensPerClient) throw new HivegateError("overloaded");
    const listen: OpenListen = { server, end };
    this.#ofClient.set(client, own.add(listen));
    return () => {
      own.delete(listen);
      if (own.size === 0) this.#ofClient.delete(client);
    };
  }

  /** There is no such server any more: nothing will be heard of it. */
  forget(server: string): void {
    for (const listen of this.#all()) if (listen.server === server) listen.end();
  }

  close(): void {
    for (const { end } of this.#all()) end();
  }

  #all(): OpenListen[] {
    return [...this.#ofClient.values()].flatMap((own) => [...own]);
  }
}
