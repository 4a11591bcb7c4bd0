import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { LIMITS } from "../../shared/limits.ts";
import type { Config } from "../config.ts";
import { StartError } from "./start-error.ts";

/** A request that takes longer than this to arrive is broken off. */
const REQUEST_TIMEOUT_MS = 30_000;

export function createHttpServer(fetch: Parameters<typeof createAdaptorServer>[0]["fetch"]): Server {
  const server = createAdaptorServer({ fetch, serverOptions: { requestTimeout: REQUEST_TIMEOUT_MS } });
  if (!("closeAllConnections" in server)) throw new Error("an HTTP/1 server was asked for");
  server.maxConnections = LIMITS.sidecarConnections;
  return server;
}

/** The port that it listens on then. @throws StartError */
export function listen(server: Server, { host, port }: Config): Promise<number> {
  return new Promise((listening, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const isBusy = cause.code === "EADDRINUSE";
      const why = isBusy ? "is in use: free it, or set SIDECAR_PORT" : `cannot be used: ${cause.code}`;
      reject(new StartError(`port ${port} on ${host} ${why}`, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      listening(typeof address === "object" && address ? address.port : port);
    });
  });
}
