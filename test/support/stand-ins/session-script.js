/**
 * Behaves like the session script of containers with claude-flow 2, whose stand-in is beside it. `start` does not end
 * before the CLI does, so never by itself. Its index is `index.json` in the working directory.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CLAUDE_FLOW = fileURLToPath(new URL("claude-flow-2.js", import.meta.url));
const [command, ...args] = process.argv.slice(2);
const index = existsSync("index.json") ? JSON.parse(readFileSync("index.json", "utf8")) : { sessions: {} };

if (command === "list") console.log(JSON.stringify(index, null, 2));
else if (command === "create") create(...args);
else if (!index.sessions[args[0]]) fail(`ERROR: Session ${args[0]} not found`);
else if (command === "start") start(args[0]);
else if (command === "update-status") update(args[0], args[1]);
else fail("Usage: create | start | list | update-status");

function create(task, priority, metadata) {
  if (process.env.STAND_IN_CREATE === "fails") return fail("disk full");
  const id = randomUUID();
  index.sessions[id] = { task, status: "created" };
  writeFileSync("index.json", JSON.stringify(index));
  console.log(id);
  console.error(JSON.stringify({ session_id: id, task, priority, metadata: JSON.parse(metadata) }));
}

function start(id) {
  update(id, "running");
  const { task } = index.sessions[id];
  console.log(`[SESSION-MGR] Starting session: ${id}\n[SESSION-MGR] Task: ${task}`);
  spawn(process.execPath, [CLAUDE_FLOW, "hive-mind", "spawn", task, "--claude"], { stdio: "inherit" });
}

function update(id, status) {
  index.sessions[id].status = status;
  writeFileSync("index.json", JSON.stringify(index));
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
