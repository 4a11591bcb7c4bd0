/** The API of `shared/protocol/config.ts`, for the gateway. Secrets that are written out are not shown: see `hidden.ts`. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type ConfigItem, ConfigValue } from "../../shared/protocol/config.ts";
import type { Signed } from "../http/authenticate.ts";
import { parseBody } from "../http/parse.ts";
import type { Configs } from "./configs.ts";
import { hideSecrets, revealSecrets } from "./hidden.ts";
import { etagOf, expectedOf, isKnown } from "./preconditions.ts";

const PATH = "/api/v1/mcp";

/** What the gateway adds: who it is, as people know him, and as the rollout does. */
const Who = z.object({ by: z.string().max(300).default("unknown"), client: z.string().max(300).default("") });

const HistoryQuery = z.object({
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.configHistoryPage).default(50),
});

const Restore = z.strictObject({ revision: z.int().positive() });

const JSON_TYPE = { "content-type": "application/json" };

export function configRoutes(app: Hono<Signed>, configs: Configs): void {
  /** Items are the same objects for as long as they are the same, and a list may be of thousands. */
  const texts = new WeakMap<ConfigItem, string>();
  const text = (item: ConfigItem): string => {
    const known = texts.get(item) ?? JSON.stringify(shown(item));
    texts.set(item, known);
    return known;
  };

  app.post(`${PATH}/reload`, async (c) => c.json(await configs.reload(who(c).by)));
  app.get(`${PATH}/status`, (c) => c.json(configs.status));

  app.get(`${PATH}/configs`, async (c) => {
    const { revision, configs: items } = await configs.list(who(c).client);
    c.header("etag", etagOf(revision));
    if (isKnown(c.req.header("if-none-match"), revision)) return c.body(null, 304);
    return c.body(`{"revision":${revision},"configs":[${items.map(text).join(",")}]}`, 200, JSON_TYPE);
  });
  app.get(`${PATH}/configs/:name`, async (c) => {
    const item = await configs.get(who(c).client, c.req.param("name"));
    c.header("etag", etagOf(item.revision));
    return isKnown(c.req.header("if-none-match"), item.revision) ? c.body(null, 304) : c.json(shown(item));
  });
  app.put(`${PATH}/configs/:name`, async (c) => {
    const { by, client } = who(c);
    const name = c.req.param("name");
    const given = parseBody(ConfigValue, c.get("body"));
    const current = await currentOf(configs, client, name);
    const expected = expectedOf(conditionsOf(c), current?.revision ?? null);
    const value = { ...given, config: revealSecrets(given.config, current?.config ?? null) };
    const item = await configs.put(name, value, expected, { by, source: "api" });
    c.header("etag", etagOf(item.revision));
    return c.json(shown(item), current ? 200 : 201);
  });
  app.delete(`${PATH}/configs/:name`, async (c) => {
    const { by, client } = who(c);
    const name = c.req.param("name");
    const { revision } = await configs.get(client, name);
    await configs.remove(name, expectedOf(conditionsOf(c), revision), { by, source: "api" });
    return c.body(null, 204);
  });
  app.post(`${PATH}/configs/:name/restore`, async (c) => {
    const { by, client } = who(c);
    const name = c.req.param("name");
    const { revision } = parseBody(Restore, c.get("body"));
    const current = await currentOf(configs, client, name);
    const expected = expectedOf(conditionsOf(c), current?.revision ?? null);
    const item = await configs.restore(name, revision, expected, by);
    c.header("etag", etagOf(item.revision));
    return c.json(shown(item));
  });

  const history = async (c: Context<Signed>, name: string | null) => {
    const query = HistoryQuery.safeParse(c.req.query());
    if (!query.success)
      throw new HivegateError(
        "invalid_request",
        `Expected before, a revision, and limit, 1 to ${LIMITS.configHistoryPage}.`,
      );
    const { before = null, limit } = query.data;
    const { versions, more } = await configs.history({ name, before, limit });
    const told = versions.map((version) => ({ ...version, value: version.value && shown(version.value) }));
    return c.json({ versions: told, more });
  };
  app.get(`${PATH}/history`, (c) => history(c, null));
  app.get(`${PATH}/configs/:name/history`, (c) => history(c, c.req.param("name")));
}

const shown = <Value extends { config: Record<string, unknown> }>(value: Value): Value => ({
  ...value,
  config: hideSecrets(value.config),
});

const conditionsOf = ({ req }: Context<Signed>) => ({
  ifMatch: req.header("if-match"),
  ifNoneMatch: req.header("if-none-match"),
});

function who({ req }: Context<Signed>): z.infer<typeof Who> {
  const query = Who.safeParse(req.query());
  if (!query.success) throw new HivegateError("invalid_request", "Expected by and client, if any.");
  return query.data;
}

async function currentOf(configs: Configs, client: string, name: string): Promise<ConfigItem | null> {
  try {
    return await configs.get(client, name);
  } catch (thrown) {
    if (thrown instanceof HivegateError && thrown.code === "unknown_config") return null;
    throw thrown;
  }
}
