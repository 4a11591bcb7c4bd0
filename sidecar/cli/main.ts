#!/usr/bin/env node
/** The command line of Hivegate. */
import { readFileSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import { EXIT, type Io } from "./command.ts";
import { audit } from "./commands/audit.ts";
import { config } from "./commands/config.ts";
import { follow } from "./commands/follow.ts";
import { migrate } from "./commands/migrate.ts";
import { sidecar } from "./commands/sidecar.ts";
import { status } from "./commands/status.ts";
import { stop } from "./commands/stop.ts";
import { swarms } from "./commands/swarms.ts";
import { task } from "./commands/task.ts";
import { tasks } from "./commands/tasks.ts";
import { token } from "./commands/token.ts";
import { type Program, runProgram } from "./program.ts";

const program: Program = {
  version: manifest.version,
  commands: { task, follow, stop, tasks, status, swarms, token, audit, config, migrate, sidecar },
};

let endsWithReaders = true;

const io: Io = {
  out: (text) => write(process.stdout, text),
  err: (text) => write(process.stderr, text),
  env: process.env,
  readFile(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return null;
    }
  },
  now: Date.now,
  columns: process.stdout.isTTY ? process.stdout.columns : null,
  onInterrupt(listener) {
    process.once("SIGINT", listener);
    return () => process.off("SIGINT", listener);
  },
  outliveReaders() {
    endsWithReaders = false;
  },
};

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

// Whoever reads us may leave early, as `head` does: that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (endsWithReaders) process.exit(EXIT.done);
  });
}

process.exitCode = await runProgram(program, process.argv.slice(2), io);
