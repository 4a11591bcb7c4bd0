/**
 * `node main.ts --stdio | --http PORT [--only-2025]`: the reference server, for clients of both eras or as servers were
 * before 2026-07-28. Over HTTP it says where it listens, as a JSON line.
 */
import { parseArgs } from "node:util";
import { serve } from "@hono/node-server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { referenceHandler } from "./http.ts";
import { referenceServer } from "./server.ts";

const { values } = parseArgs({
  options: {
    stdio: { type: "boolean", default: false },
    http: { type: "string" },
    "only-2025": { type: "boolean", default: false },
  },
});
const only2025 = values["only-2025"];

if (values.http !== undefined) {
  const port = Number(values.http);
  serve({ fetch: referenceHandler({ only2025 }), port, hostname: "127.0.0.1" }, (address) =>
    console.log(JSON.stringify({ event: "listening", port: address.port })),
  );
} else if (only2025) {
  await referenceServer({ era: "legacy" }).server.connect(new StdioServerTransport());
} else {
  serveStdio((context) => referenceServer(context).server);
}
