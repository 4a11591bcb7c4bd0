/** Finds tools by words and category: the same at the sidecar and at the gateway. */
import type { RegistryServer, ToolEntry, ToolQuery } from "../protocol/tools.ts";
import { wordsOf } from "./words.ts";

export type FoundTool = { server: string; tool: ToolEntry };

/** What a word of the query is worth where it is found; half of it where only its beginning is. */
const WORTH = { name: 16, title: 8, description: 2 } as const;

/**
 * The tools that `query` asks for, the best first: those that match more of its words, then those that match better, then
 * in the order of `servers`. A tool that matches no word is left out.
 */
export function searchTools(servers: readonly RegistryServer[], query: ToolQuery): FoundTool[] {
  const wanted = [...new Set(wordsOf(query.query ?? ""))];
  // Text that holds no word, such as "?", is found in no tool.
  if (query.query?.trim() && wanted.length === 0) return [];
  const found = servers
    .filter(({ name }) => query.server === undefined || name === query.server)
    .flatMap(({ name, tools }) => tools.map((tool) => ({ server: name, tool })))
    .filter(({ tool }) => query.category === undefined || tool.category === query.category);
  return (wanted.length === 0 ? found : ranked(found, wanted)).slice(0, query.limit);
}

/** `servers`, each with those of its tools that `query` asks for, the best first. */
export function selectTools(servers: readonly RegistryServer[], query: ToolQuery): RegistryServer[] {
  const found = Map.groupBy(searchTools(servers, query), ({ server }) => server);
  return servers
    .filter(({ name }) => query.server === undefined || name === query.server)
    .map((server) => ({ ...server, tools: (found.get(server.name) ?? []).map(({ tool }) => tool) }));
}

function ranked(tools: readonly FoundTool[], wanted: readonly string[]): FoundTool[] {
  return tools
    .map((found) => ({ found, ...rankOf(found.tool, wanted) }))
    .filter(({ matched }) => matched > 0)
    .sort((a, b) => b.matched - a.matched || b.worth - a.worth)
    .map(({ found }) => found);
}

function rankOf(tool: ToolEntry, wanted: readonly string[]): { matched: number; worth: number } {
  const texts = searchable(tool);
  let [matched, worth] = [0, 0];
  for (const word of wanted) {
    const best = Math.max(...texts.map((text) => worthOf(word, text)));
    if (best > 0) matched++;
    worth += best;
  }
  return { matched, worth };
}

function worthOf(word: string, { words, whole }: Searchable): number {
  if (words.includes(word)) return whole;
  const start = singular(word);
  return words.some((candidate) => candidate.startsWith(start)) ? whole / 2 : 0;
}

/** Of what may be a plural: tools speak of one thing or of many, as it comes. */
const singular = (word: string): string => (word.length > 3 ? word.replace(/s$/, "") : word);

type Searchable = { words: string[]; whole: number };

/** A tool's words are found out once: its entry never changes. */
const KNOWN = new WeakMap<ToolEntry, Searchable[]>();

function searchable(tool: ToolEntry): Searchable[] {
  const known = KNOWN.get(tool);
  if (known) return known;
  const texts = [
    { words: wordsOf(tool.name), whole: WORTH.name },
    { words: wordsOf(tool.title ?? ""), whole: WORTH.title },
    { words: wordsOf(tool.description ?? ""), whole: WORTH.description },
  ];
  KNOWN.set(tool, texts);
  return texts;
}
