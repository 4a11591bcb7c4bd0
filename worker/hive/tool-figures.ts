/**
 * The figures of a hive's tools and of its servers, from the same events that its audit log keeps. Names come from
 * clients, so there is an end to them: what finds no room counts as `OTHER`.
 */
import { z } from "zod";
import type { KeptEvent } from "../mcp/events.ts";
import { series } from "../metrics.ts";
import { CallFigures, type FiguresReport, QUANTILES, SavedFigures } from "./call-figures.ts";

const SavedNamed = z.array(z.tuple([z.array(z.string()), SavedFigures]));

export const SavedToolFigures = z.object({ since: z.number(), tools: SavedNamed, servers: SavedNamed });
export type SavedToolFigures = z.infer<typeof SavedToolFigures>;

export type ToolReport = { server: string; tool: string } & FiguresReport;
export type ServerReport = { server: string } & FiguresReport;
/** `since`: when counting began, in milliseconds since the epoch. */
export type StatsReport = { since: number; tools: ToolReport[]; servers: ServerReport[] };

/** As much of an event as counts. */
export type CountedEvent = Pick<KeptEvent, "method" | "server" | "tool" | "outcome" | "cache" | "durationMs">;

export const OTHER = "other";

export class ToolFigures {
  readonly #since: number;
  readonly #tools: NamedFigures;
  readonly #servers: NamedFigures;

  constructor(most: { tools: number; servers: number }, nowMs: number, saved?: SavedToolFigures) {
    this.#since = saved?.since ?? nowMs;
    this.#tools = new NamedFigures(most.tools, saved?.tools);
    this.#servers = new NamedFigures(most.servers, saved?.servers);
  }

  add(event: CountedEvent): void {
    if (event.method !== "tools/call" || event.server === null || event.tool === null) return;
    this.#tools.of([event.server, event.tool], event).add(event);
    this.#servers.of([event.server], event).add(event);
  }

  report(): StatsReport {
    const tools = [...this.#tools.all()].map(([[server = OTHER, tool = OTHER], figures]) => ({
      ...{ server, tool },
      ...figures.report(),
    }));
    const servers = [...this.#servers.all()].map(([[server = OTHER], figures]) => ({
      server,
      ...figures.report(),
    }));
    return { since: this.#since, tools, servers };
  }

  *samples(): Generator<[series: string, value: number], void, void> {
    for (const [[server = OTHER, tool = OTHER], figures] of this.#tools.all())
      yield* samplesOf("tool", { server, tool }, figures);
    for (const [[server = OTHER], figures] of this.#servers.all())
      yield* samplesOf("server", { server }, figures);
  }

  saved(): SavedToolFigures {
    return { since: this.#since, tools: this.#tools.saved(), servers: this.#servers.saved() };
  }
}

/** Figures by name, which has one part or two; that of what found no room has none. */
class NamedFigures {
  readonly #figures: Map<string, CallFigures>;
  readonly #most: number;

  constructor(most: number, saved: z.infer<typeof SavedNamed> = []) {
    this.#most = most;
    this.#figures = new Map(saved.map(([name, figures]) => [JSON.stringify(name), new CallFigures(figures)]));
  }

  /** Those in which this event of what has this name counts. */
  of(name: readonly string[], { outcome }: CountedEvent): CallFigures {
    const key = JSON.stringify(name);
    const known = this.#figures.get(key);
    if (known) return known;
    const isKept = outcome !== "refused" && (this.#figures.size < this.#most || this.#isRoomMade());
    return isKept ? this.#added(key) : this.#other();
  }

  *all(): Generator<[name: string[], figures: CallFigures], void, void> {
    for (const [key, figures] of this.#figures) yield [Name.parse(JSON.parse(key)), figures];
  }

  saved(): z.infer<typeof SavedNamed> {
    return [...this.all()].map(([name, figures]) => [name, figures.saved()]);
  }

  /** What was never called with success may be a name that a client made up: it is the first to make room. */
  #isRoomMade(): boolean {
    for (const [key, figures] of this.#figures) {
      if (key === OTHER_KEY || figures.counts.ok > 0) continue;
      this.#figures.delete(key);
      this.#other().merge(figures);
      return true;
    }
    return false;
  }

  #other(): CallFigures {
    return this.#figures.get(OTHER_KEY) ?? this.#added(OTHER_KEY);
  }

  #added(key: string): CallFigures {
    const figures = new CallFigures();
    this.#figures.set(key, figures);
    return figures;
  }
}

const Name = z.array(z.string());
const OTHER_KEY = JSON.stringify([]);

function* samplesOf(
  what: "tool" | "server",
  labels: Readonly<Record<string, string>>,
  { counts, sketch }: CallFigures,
): Generator<[series: string, value: number], void, void> {
  // Of servers there are few: what did not happen yet is told too, so that the first time is seen as an increase.
  const isTold = (count: number) => count > 0 || what === "server";
  for (const outcome of ["ok", "error", "refused", "cancelled"] as const)
    if (isTold(counts[outcome]))
      yield [series(`${what}_calls_total`, { ...labels, outcome }), counts[outcome]];
  for (const result of ["hit", "miss", "joined"] as const)
    if (isTold(counts[result])) yield [series(`${what}_cache_total`, { ...labels, result }), counts[result]];
  yield* sketch.samples(series(`${what}_call_duration_seconds`), labels, QUANTILES);
}
