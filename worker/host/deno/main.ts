/** The gateway in one Deno process. Says `{"event":"listening",…}` when it is ready, and runs until it is asked to stop. */

import { pause, platformClock } from "../../../shared/clock.ts";
import { asHivegateError, isOurFault } from "../../../shared/errors.ts";
import { createApp, type OpenSession } from "../../app.ts";
import { ConfigError } from "../../config.ts";
import { Gateway } from "../../gateway.ts";
import { log } from "../../log.ts";
import { readSettings } from "./env.ts";
import { Objects } from "./objects.ts";
import { refuseSession, sendAway } from "./refuse-session.ts";
import { openStore, type Store } from "./store.ts";
import { upgrade } from "./upgrade.ts";

/** How long clients and requests under way may take to end when the gateway stops. */
const DRAIN_MS = 1_000;
const PAGE = new URL("../../page/dist/index.html", import.meta.url);

function start(): void {
  const settings = readSettings((name) => Deno.env.get(name));
  const page = readPage();
  const store = storeIn(settings.stateDir);
  const gateway = new Gateway(settings.gateway, async (hive, batch) => objects.records(hive).record(batch));
  const objects: Objects = new Objects(gateway, store);
  const app = createApp({
    gateway,
    page,
    now: () => Date.now(),
    uuid: () => crypto.randomUUID(),
    openSession: async (request, session) => openSession(objects, request, session),
    refuseSession,
    metrics: async (hive) => objects.metrics(hive),
    audit: async (hive, after, limit) => objects.records(hive).audit(after, limit),
    toolStats: async (hive) => objects.records(hive).stats(),
    // What goes on in the background is not waited for: what it must not lose, it is asked for at the end.
    defer: (work) => void work.catch((error: unknown) => log("in the background", error)),
    log,
  });
  const server = listen(settings, (request) => app.fetch(request));

  const stop = async () => {
    const drained = objects.shutDown().then(() => server.shutdown());
    await Promise.race([drained, pause(platformClock, DRAIN_MS)]);
    await gateway.events.flush();
    await Promise.race([gateway.tracer.flush(), pause(platformClock, DRAIN_MS)]);
    store.close();
    Deno.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
}

/** A client's shard is chosen when its socket is open: what is said to it before that would be lost. */
function openSession(objects: Objects, request: Request, session: OpenSession): Response {
  return upgrade(request, session.protocol, (socket) => {
    try {
      objects.connect(socket, session);
    } catch (thrown) {
      const error = asHivegateError(thrown);
      if (isOurFault(error)) log("session", error);
      sendAway(socket, error);
    }
  });
}

/** @throws ConfigError */
function listen({ host, port }: { host: string; port: number }, handler: Deno.ServeHandler) {
  try {
    return Deno.serve({ hostname: host, port, onListen: sayListening }, handler);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse)
      throw new ConfigError(`PORT: ${port} on ${host} is in use: free it, or set another`);
    throw new ConfigError(`HOST, PORT: ${String(error)}`);
  }
}

const sayListening = ({ port }: { port: number }): void =>
  console.log(JSON.stringify({ event: "listening", port, pid: Deno.pid }));

/** @throws ConfigError */
function storeIn(dir: string): Store {
  try {
    return openStore(dir);
  } catch (error) {
    throw new ConfigError(`GATEWAY_STATE_DIR: ${String(error)}`);
  }
}

/** @throws ConfigError */
function readPage(): string {
  try {
    return Deno.readTextFileSync(PAGE);
  } catch {
    throw new ConfigError("the page is not built: run `npm run build`");
  }
}

/** A mistake in what one client or one message brings about must not end everybody's sessions. */
function outliveMistakes(): void {
  addEventListener("error", (event) => {
    event.preventDefault();
    log("uncaught", asHivegateError(event.error));
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log("unhandled", asHivegateError(event.reason));
  });
}

try {
  start();
  outliveMistakes();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`hivegate: ${error.message}`);
  Deno.exit(1);
}
