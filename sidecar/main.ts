#!/usr/bin/env node
/** Runs the sidecar until it is asked to stop. Says `{"event":"listening",…}` when it is ready. */
import { ConfigError, readConfig } from "./config.ts";
import { liveOn } from "./live-on.ts";
import { createLogger } from "./log.ts";
import { StartError } from "./start/start-error.ts";
import { startSidecar } from "./start-sidecar.ts";

/** However stuck something is, the process is gone after this. */
const STOP_WITHIN_MS = 5_000;

try {
  const config = readConfig(process.env);
  const log = createLogger({ level: config.logLevel });
  liveOn(log);
  const sidecar = await startSidecar(config, { log });
  const stop = (): void => {
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    sidecar.close().then(() => process.exit(0), fail);
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, stop);
  // Whoever reads this may stop it at once.
  console.log(JSON.stringify({ event: "listening", port: sidecar.port, pid: process.pid }));
} catch (thrown) {
  fail(thrown);
}

function fail(thrown: unknown): never {
  const expected = thrown instanceof ConfigError || thrown instanceof StartError;
  console.error(expected ? `sidecar: ${thrown.message}` : thrown);
  process.exit(1);
}
