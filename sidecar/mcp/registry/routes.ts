/** The route of the registry: see `shared/protocol/tools.ts`. */
import type { Hono } from "hono";
import { HivegateError } from "../../../shared/errors.ts";
import { REGISTRY_HEADER, RegistryQuery } from "../../../shared/protocol/tools.ts";
import type { Signed } from "../../http/authenticate.ts";
import type { Registry } from "./registry.ts";

export function registryRoutes(app: Hono<Signed>, registry: Pick<Registry, "answer" | "isStill">): void {
  app.get("/v1/registry", async (c) => {
    const known = c.req.header("if-none-match")?.replace(/^"(.*)"$/, "$1");
    if (known !== undefined && registry.isStill(known)) return c.body(null, 304, headersOf(known));
    const answer = await registry.answer(parseQuery(c.req.query()));
    return c.json(answer, 200, headersOf(answer.version));
  });
}

const headersOf = (version: string) => ({ etag: `"${version}"`, [REGISTRY_HEADER]: version });

/** @throws HivegateError `invalid_request` */
function parseQuery(query: Record<string, string>): RegistryQuery {
  const parsed = RegistryQuery.safeParse(query);
  if (parsed.success) return parsed.data;
  throw new HivegateError(
    "invalid_request",
    "Expected query, category, server, limit and waitFor, if anything.",
  );
}
