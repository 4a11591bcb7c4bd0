/** What one MCP server offers: all pages of its lists, within limits. */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { isRecord } from "../record.ts";
import type { ServerInfo, Upstream } from "../upstream.ts";

const Tool = z.looseObject({ name: z.string().min(1) });
const Prompt = z.looseObject({ name: z.string().min(1) });
const Resource = z.looseObject({ uri: z.string().min(1) });
const Template = z.looseObject({ uriTemplate: z.string().min(1) });

export type Tool = z.infer<typeof Tool>;
export type Prompt = z.infer<typeof Prompt>;
export type Resource = z.infer<typeof Resource>;
export type Template = z.infer<typeof Template>;

/** Each as the server said it. */
export type Offer = { tools: Tool[]; prompts: Prompt[]; resources: Resource[]; templates: Template[] };

export type Listing = Offer & {
  info: ServerInfo;
  /** The shortest time for which the server says that one of its lists holds; null when it says nothing. */
  ttlMs: number | null;
  /** Whether it has promised to say so when one of them changes. */
  tellsOfChanges: boolean;
  /** In words for the log: what could not be read, or is left out. */
  problems: string[];
};

/** How lists are asked for, in whose name: no client's. */
const CLIENT = "hivegate registry";
const METHOD_NOT_FOUND = -32601;

const Page = z.object({
  nextCursor: z.string().min(1).nullish(),
  ttlMs: z.number().nonnegative().optional().catch(undefined),
});

/**
 * What a server offers now. A list that it refuses to give is as it was `before`, and one of the problems.
 * @throws HivegateError as `Upstream.exchange`
 */
export async function listServer(
  upstream: Upstream,
  before: Offer | null,
  signal: AbortSignal,
): Promise<Listing> {
  const info = await upstream.info();
  const ask: Ask = (method, cursor) =>
    upstream.exchange(
      { method, params: cursor === null ? {} : { cursor } },
      { client: CLIENT, signal, timeoutMs: LIMITS.listingPageMs },
    );
  const list = async <Item>(capability: string, method: string, field: string, item: z.ZodType<Item>) =>
    offers(info, capability) ? await listAll(ask, method, field, item) : NOTHING;
  const [tools, prompts, resources, templates] = await Promise.all([
    list("tools", "tools/list", "tools", Tool),
    list("prompts", "prompts/list", "prompts", Prompt),
    list("resources", "resources/list", "resources", Resource),
    list("resources", "resources/templates/list", "resourceTemplates", Template),
  ]);
  const all = [tools, prompts, resources, templates];
  const ttls = all.flatMap(({ ttlMs }) => ttlMs ?? []);
  return {
    info,
    tools: tools.items ?? before?.tools ?? [],
    prompts: prompts.items ?? before?.prompts ?? [],
    resources: resources.items ?? before?.resources ?? [],
    templates: templates.items ?? before?.templates ?? [],
    ttlMs: ttls.length > 0 ? Math.min(...ttls) : null,
    tellsOfChanges: LISTS.every((list) => !offers(info, list) || tellsOf(info, list)),
    problems: all.flatMap(({ problems }) => [...problems]),
  };
}

type Ask = (method: string, cursor: string | null) => ReturnType<Upstream["exchange"]>;
/** `items` is null where the server refused to tell. */
type List<Item> = { items: Item[] | null; ttlMs: number | null; problems: ReadonlySet<string> };

const NOTHING: List<never> = { items: [], ttlMs: null, problems: new Set() };

/** Servers that say nothing of what they can do are old ones, with tools. */
function offers({ capabilities }: ServerInfo, capability: string): boolean {
  return Object.keys(capabilities).length === 0 ? capability === "tools" : Boolean(capabilities[capability]);
}

const LISTS = ["tools", "prompts", "resources"];

function tellsOf({ capabilities }: ServerInfo, list: string): boolean {
  const capability = capabilities[list];
  return isRecord(capability) && capability.listChanged === true;
}

async function listAll<Item>(
  ask: Ask,
  method: string,
  field: string,
  schema: z.ZodType<Item>,
): Promise<List<Item>> {
  const items: Item[] = [];
  const problems = new Set<string>();
  let ttlMs: number | null = null;
  let cursor: string | null = null;
  let bytes = 0;
  for (let pages = 1; ; pages++) {
    const answer = await ask(method, cursor);
    if ("error" in answer) return refused(method, answer.error.code);
    const page = pageOf(answer.result, method, field);
    for (const raw of page.items) {
      const item = schema.safeParse(raw);
      bytes += JSON.stringify(raw).length;
      if (items.length >= LIMITS.listedItems || bytes > LIMITS.listedBytes) {
        return { items, ttlMs, problems: problems.add(`${method}: more than is kept`) };
      }
      if (item.success) items.push(item.data);
      else problems.add(`${method}: an item cannot be read`);
    }
    ttlMs = shorter(ttlMs, page.ttlMs);
    if (page.nextCursor === null) return { items, ttlMs, problems };
    if (pages >= LIMITS.listedPages) {
      return { items, ttlMs, problems: problems.add(`${method}: more pages than are read`) };
    }
    cursor = page.nextCursor;
  }
}

/** @throws HivegateError `mcp_failed` */
function pageOf(result: Record<string, unknown>, method: string, field: string) {
  const page = Page.safeParse(result);
  const items = result[field];
  if (!page.success || !Array.isArray(items)) {
    throw new HivegateError("mcp_failed", undefined, { cause: new Error(`${method} gave no list`) });
  }
  return { items, nextCursor: page.data.nextCursor ?? null, ttlMs: page.data.ttlMs ?? null };
}

function refused(method: string, code: number): List<never> {
  if (code === METHOD_NOT_FOUND) return NOTHING;
  return { items: null, ttlMs: null, problems: new Set([`${method}: refused with ${code}`]) };
}

const shorter = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);
