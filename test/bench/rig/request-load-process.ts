import { Agent, request } from "undici";
import { quantile } from "../report.ts";
import { answerParent } from "./child.ts";
import { Load, type LoadReport, type LoadRequest } from "./request-load.ts";

const TOLD = 5;
const ANSWER_CHARS = 300;

class Running {
  readonly #agent: Agent;
  readonly #load: Load;
  readonly #lanes: Promise<unknown>;
  readonly #startedMs = performance.now();
  readonly #tookMs = new Map<string, number[]>();
  readonly #failed: string[] = [];
  #failures = 0;
  #sent = 0;
  #isOver = false;

  constructor(load: Load) {
    this.#load = load;
    this.#agent = new Agent({ connections: load.atATime, pipelining: 1 });
    this.#lanes = Promise.all(
      load.perSecond === null
        ? Array.from({ length: load.atATime }, () => this.#oneByOne())
        : [this.#steadily(1_000 / load.perSecond)],
    );
  }

  async end(): Promise<LoadReport> {
    this.#isOver = true;
    await this.#lanes;
    const elapsedMs = performance.now() - this.#startedMs;
    await this.#agent.close();
    const byName = Object.fromEntries([...this.#tookMs].map(([name, tookMs]) => [name, figuresOf(tookMs)]));
    const all = figuresOf([...this.#tookMs.values()].flat());
    return { ...all, elapsedMs, failures: this.#failures, failed: this.#failed, byName };
  }

  async #oneByOne(): Promise<void> {
    while (!this.#isOver) await this.#send(performance.now());
  }

  /** The time of a request begins when it was due: one that waits for the one before is late, and counts as that. */
  async #steadily(everyMs: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let dueMs = this.#startedMs; !this.#isOver; dueMs += everyMs) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
      const one = this.#send(dueMs).finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await Promise.all(underWay);
  }

  async #send(sinceMs: number): Promise<void> {
    const { requests } = this.#load;
    const next = requests[this.#sent++ % requests.length];
    if (!next) return;
    const failure = await this.#ask(next).catch((thrown: unknown) => String(thrown));
    const tookMs = this.#tookMs.get(next.name) ?? [];
    this.#tookMs.set(next.name, tookMs);
    tookMs.push(performance.now() - sinceMs);
    if (failure === null) return;
    this.#failures++;
    if (this.#failed.length < TOLD) this.#failed.push(`${next.name}: ${failure}`);
  }

  async #ask({ url, method, headers, body, expects }: LoadRequest): Promise<string | null> {
    const answer = await request(url, {
      ...{ dispatcher: this.#agent, headers, body },
      method: method === "PUT" || method === "POST" ? method : "GET",
    });
    const text = await answer.body.text();
    const isGood = answer.statusCode < 300 && text.includes(expects);
    return isGood ? null : `${answer.statusCode} ${text.slice(0, ANSWER_CHARS)}`;
  }
}

const figuresOf = (tookMs: readonly number[]) => ({
  requests: tookMs.length,
  p50Ms: quantile(tookMs, 0.5),
  p99Ms: quantile(tookMs, 0.99),
  mostMs: tookMs.reduce((most, ms) => Math.max(most, ms), 0),
});

let running: Running | null = null;

answerParent({
  begin(params) {
    running = new Running(Load.parse(params));
  },
  end: () => running?.end(),
});
