/**
 * Behaves like the CLI of claude-flow 2.7.47, whose captured lines it prints: it takes whatever follows an option for
 * its value, exits 0 for what it does not know, and never ends a spawn by itself. STAND_IN_CLAUDE says how Claude Code
 * does: `missing`, `completes`, `leaves` (something that goes on), `fails` or `works` (for ever). Its database is
 * `sessions.json` in the working directory. With STAND_IN_GO it ends when there is a file of that name, not before.
 */
import { spawn as run } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const CAPTURES = new URL("../captures/claude-flow-2.7.47.jsonl", import.meta.url);
const captures = readFileSync(CAPTURES, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));
const SLEEPER = "setTimeout(() => {}, 60_000)";
const [, subcommand, ...rest] = process.argv.slice(2);
const { operands, options } = parse(rest);
const sessions = existsSync("sessions.json") ? JSON.parse(readFileSync("sessions.json", "utf8")) : {};

if (subcommand === "spawn") spawn(operands.join(" ").trim());
else if (subcommand === "sessions") list();
else if (subcommand === "stop") stop(operands[0]);
else process.exitCode = 1;

function spawn(objective) {
  if (objective === "") return console.error("Error: Please provide an objective or use --wizard flag");
  const claude = process.env.STAND_IN_CLAUDE ?? "completes";
  const number = `${Date.now()}-${process.pid}`;
  const text = captures
    .filter((capture) => capture.argv[1] === "spawn")
    [{ missing: 0, fails: 2 }[claude] ?? 1].stdout.replace(/swarm-\d+-\w+/g, `swarm-${number}`)
    .replace(/session-\d+-\w+/g, `session-${number}`)
    .replace(/(Objective: |objective: ")(?:Build REST API|Fail)/g, (_, label) => label + objective);
  save(`session-${number}`, { status: "active", name: options.name ?? "hive", objective });
  const ends = text.lastIndexOf("\n✓");
  process.stdout.write(text.slice(0, ends));
  if (claude === "leaves") run(process.execPath, ["-e", SLEEPER], { detached: true, stdio: "inherit" });
  if (claude !== "works") when(process.env.STAND_IN_GO, () => process.stdout.write(text.slice(ends)));
  setInterval(() => {}, 60_000);
  process.on("SIGTERM", () => {
    save(`session-${number}`, { ...sessions[`session-${number}`], status: "paused" });
    process.exit(0);
  });
}

function when(file, then) {
  if (file === undefined || existsSync(file)) then();
  else setTimeout(when, 50, file, then);
}

function list() {
  const open = Object.entries(sessions).filter(([, { status }]) => status !== "stopped");
  if (open.length === 0) return console.log("No active or paused sessions found");
  const entries = open.map(
    ([id, { name, status, objective }]) =>
      `${"═".repeat(60)}\n🟢 ${name}\nSession ID: ${id}\nStatus: ${status}\nObjective: ${objective}\nProgress: 0%\n\nReal Progress:\n  Agents: 5\n`,
  );
  console.log(`\n🗂️  Hive Mind Sessions\n\n${entries.join("")}${"═".repeat(60)}\n`);
}

function stop(id) {
  if (!sessions[id]) return console.error(`✖ Session ${id} not found`);
  save(id, { ...sessions[id], status: "stopped" });
  console.log(`\nSession ID: ${id}\nFinal Status: Stopped`);
}

function save(id, session) {
  sessions[id] = session;
  writeFileSync("sessions.json", JSON.stringify(sessions));
}

function parse(args) {
  const operands = [];
  const options = {};
  for (let index = 0; index < args.length; index++) {
    const [arg, next] = [args[index], args[index + 1]];
    if (!arg.startsWith("-")) operands.push(arg);
    else if (arg.startsWith("--")) options[arg.slice(2)] = next?.startsWith("--") ? true : args[++index];
  }
  return { operands, options };
}
