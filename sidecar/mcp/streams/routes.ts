/** The routes of streamed calls: see `shared/protocol/tools.ts`. */
import type { Context, Hono } from "hono";
import { HivegateError } from "../../../shared/errors.ts";
import { StartToolStream } from "../../../shared/protocol/tools.ts";
import { SSE_HEADERS } from "../../../shared/wire/sse.ts";
import type { Signed } from "../../http/authenticate.ts";
import { parseBody, parseLastEventId } from "../../http/parse.ts";
import type { ToolStreams } from "./streams.ts";

export function toolStreamRoutes(
  app: Hono<Signed>,
  streams: Pick<ToolStreams, "start" | "get" | "read" | "cancel">,
): void {
  app.post("/v1/tool-streams", (c) =>
    c.json(streams.start(clientOf(c), parseBody(StartToolStream, c.get("body")))),
  );
  app.get("/v1/tool-streams/:id", (c) => c.json(streams.get(clientOf(c), c.req.param("id"))));
  app.delete("/v1/tool-streams/:id", (c) => c.json(streams.cancel(clientOf(c), c.req.param("id"))));
  app.get("/v1/tool-streams/:id/events", (c) => {
    const after = parseLastEventId(c.req.header("last-event-id"));
    return c.body(streams.read(clientOf(c), c.req.param("id"), after), 200, SSE_HEADERS);
  });
}

/** @throws HivegateError `invalid_request` */
function clientOf(c: Context): string {
  const client = c.req.query("client");
  if (client === undefined || !/^[\w-]{1,100}$/.test(client))
    throw new HivegateError("invalid_request", "client: expected the name of a client.");
  return client;
}
