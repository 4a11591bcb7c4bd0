/** `node main.ts --stdio | --http PORT`: the reference server. Over HTTP it says where it listens, as a JSON line. */
import { serve } from "@hono/node-server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { referenceHandler } from "./http.ts";
import { referenceServer } from "./server.ts";

const [mode, port] = process.argv.slice(2);
if (mode === "--stdio") {
  serveStdio(() => referenceServer());
} else if (mode === "--http") {
  serve({ fetch: referenceHandler(), port: Number(port), hostname: "127.0.0.1" }, (address) =>
    console.log(JSON.stringify({ event: "listening", port: address.port })),
  );
} else {
  console.error("usage: main.ts --stdio | --http PORT");
  process.exit(2);
}
