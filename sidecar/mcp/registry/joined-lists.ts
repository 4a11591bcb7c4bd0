/** Lists of all servers as one. */
import { qualifiedName } from "../../../shared/protocol/qualified-name.ts";
import { SERVER_META, UNAVAILABLE_META } from "../../../shared/protocol/tools.ts";
import { isRecord } from "../record.ts";
import type { Offer } from "./listing.ts";

/** What a server offers; null: it is left out, for it cannot be reached or was not heard of yet. */
export type Part = { name: string; offer: Offer | null };

type Item = Record<string, unknown>;

/** By the request that asks for it: what it is called in the answer, and what one server adds to it. */
const LISTS: Readonly<Record<string, { field: string; itemsOf(server: string, offer: Offer): Item[] }>> = {
  "tools/list": { field: "tools", itemsOf: (server, { tools }) => tools.map((tool) => named(server, tool)) },
  "prompts/list": {
    field: "prompts",
    itemsOf: (server, { prompts }) => prompts.map((prompt) => named(server, prompt)),
  },
  "resources/list": {
    field: "resources",
    itemsOf: (server, { resources }) => resources.map((resource) => owned(server, resource)),
  },
  "resources/templates/list": {
    field: "resourceTemplates",
    itemsOf: (server, { templates }) => templates.map((template) => owned(server, template)),
  },
};

export const isList = (method: string): boolean => Object.hasOwn(LISTS, method);

/**
 * The answer to `method`, in one page, in the order of `parts`. Of several equal URIs the first is there: the others could not
 * be asked for.
 */
export function joinedList(method: string, parts: readonly Part[]): Record<string, unknown> {
  const list = LISTS[method];
  if (!list) throw new Error(`${method} is no list`);
  const items = parts.flatMap(({ name, offer }) => (offer ? list.itemsOf(name, offer) : []));
  const missing = parts.filter(({ offer }) => offer === null).map(({ name }) => name);
  return {
    [list.field]: firstOfEach(items),
    ...(missing.length > 0 && { _meta: { [UNAVAILABLE_META]: missing } }),
  };
}

const named = <Named extends Item & { name: string }>(server: string, item: Named): Item => ({
  ...item,
  name: qualifiedName(server, item.name),
});

const owned = (server: string, item: Item): Item => ({
  ...item,
  _meta: { ...(isRecord(item._meta) && item._meta), [SERVER_META]: server },
});

function firstOfEach(items: readonly Item[]): Item[] {
  const seen = new Set<unknown>();
  return items.filter(({ uri, uriTemplate, name }) => {
    const key = uri ?? uriTemplate ?? name;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}
