/** The part of vitest that runs in Deno, started by pool.ts: executes test files and tells the pool what happened. */
import process from "node:process";
import { init, runBaseTests, setupEnvironment } from "vitest/worker";
import { decode, encode } from "./message.ts";

process.on("disconnect", () => process.exit(1));

init({
  post: (text) => process.send?.(text),
  on: (listener) => process.on("message", listener),
  off: (listener) => process.off("message", listener),
  serialize: encode,
  deserialize: decode,
  setup: setupEnvironment,
  runTests: (state, traces) => runBaseTests("run", state, traces),
  collectTests: (state, traces) => runBaseTests("collect", state, traces),
});
