/**
 * Runs one task of claude-flow 2 to its end, beside the CLI: given to `node -e` as one argument (`runner.ts`), because
 * a sidecar that watched from outside would leave tasks running whenever it is away itself.
 *
 * The CLI never ends by itself: its timers go on when the work is done or was never begun. So it is watched for the
 * line that says how Claude Code ended, and is then ended here. What happens is told as the demo tells it, one JSON
 * object a line among the CLI's own: `spawned`, then `completed`, `failed` or `stopped` as the last line of all.
 *
 * Arguments: `hive-mind` or `session-script`, how many of the following are the CLI itself, and the whole command.
 * Nothing but Node's own is imported: whatever Node 20 or later the container has must be able to run it.
 */
import { execFile, spawn } from "node:child_process";

const LINE_CHARS = 4_096;
/** How long output is waited for after the command's own end. */
const LINGER_MS = 1_000;
const SHORT_COMMAND = { timeout: 30_000, maxBuffer: 1_048_576, killSignal: "SIGKILL" };

const [kind = "", cliLength = "1", ...command] = process.argv.slice(1);
const cli = command.slice(0, Number(cliLength));

let isStopping = false;
let group = null;
let atLineStart = true;

process.stdout.on("error", () => {});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    isStopping = true;
    killGroup("SIGTERM");
  });
}

const end = kind === "session-script" ? await runSession() : await runHiveMind();
tell(end);
process.exitCode = { completed: 0, stopped: 3 }[end.event] ?? 1;

async function runHiveMind() {
  let sessionId = null;
  const end = await follow(command, (line) => {
    sessionId ??= /^Session ID: (session-\d+-\w+)$/.exec(line)?.[1] ?? null;
    return sessionId;
  });
  // Else it would be listed as active for ever.
  if (sessionId !== null) await note([...cli, "hive-mind", "stop", sessionId]);
  return end;
}

async function runSession() {
  const created = await short(command);
  const sessionId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/im.exec(created.stdout)?.[0];
  if (isStopping) return { event: "stopped" };
  if (created.error || sessionId === undefined) {
    say(created.stderr);
    return failed("The session could not be created.");
  }
  const end = await follow([...cli, "start", sessionId], () => sessionId);
  await note([...cli, "update-status", sessionId, end.event]);
  return end;
}

/** Runs a command until it says how its task ended, or ends. `swarmIdIn` is asked line by line until it knows. */
function follow(argv, swarmIdIn) {
  return new Promise((resolve) => {
    let swarmId = null;
    let verdict = null;
    const read = verdictReader();
    const [file = "", ...args] = argv;
    // A group of its own, so that all of it can be ended.
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
    group = child.pid ?? null;
    const eachLine = lineReader((line) => {
      if (swarmId === null) {
        swarmId = swarmIdIn(line);
        if (swarmId !== null) tell({ event: "spawned", swarmId });
      }
      // Asked to end it may say that Claude Code failed, which is no verdict.
      verdict ??= isStopping ? null : read(line);
      if (verdict) killGroup("SIGKILL");
    });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      // What is told stands right behind its line: nothing further on can be taken for it.
      for (const piece of swarmId === null ? text.split(/(?<=\n)/) : [text]) {
        if (!say(piece) && process.stdout.writable) child.stdout.pause();
        eachLine(piece);
      }
    });
    // When nobody reads any more the task goes on all the same.
    for (const event of ["drain", "close"]) process.stdout.on(event, () => child.stdout.resume());
    // What the task has left behind may keep its output open.
    child.on("exit", () => setTimeout(() => child.stdout.destroy(), LINGER_MS).unref());
    child.on("error", (error) => resolve(failed(`The swarm's command could not be run: ${error.code}.`)));
    child.on("close", (code) => {
      group = null;
      const undone = `The swarm's command ended without having done the task (exit code ${code}).`;
      resolve(verdict ?? (isStopping ? { event: "stopped" } : failed(undone)));
    });
    if (isStopping) killGroup("SIGTERM");
  });
}

/**
 * Reads lines until one tells how the task ended. Before the CLI has named the file with its prompt nothing counts: it
 * repeats the task's text, which may hold any line but that one, whose number nobody knows before.
 */
function verdictReader() {
  let swarm = null;
  let promptSaved = false;
  let launched = false;
  let reason = "Claude Code could not be started.";
  return (line) => {
    if (!promptSaved) {
      swarm ??= /^Swarm ID: (swarm-\d+-\w+)$/.exec(line)?.[1] ?? null;
      promptSaved = line === `✓ Hive Mind prompt saved to: .hive-mind/sessions/hive-mind-prompt-${swarm}.txt`;
      return null;
    }
    if (line.endsWith("Claude Code CLI not found in PATH")) {
      reason =
        "No agent was started: Claude Code is not on the PATH of the swarm. Install it there: npm install -g @anthropic-ai/claude-code";
    }
    launched ||= line === "✓ Claude Code launched with Hive Mind coordination";
    if (line === "✓ Claude Code completed successfully") return { event: "completed" };
    const code = /^✗ Claude Code exited with code (\d+)$/.exec(line)?.[1];
    if (code !== undefined) return failed(`Claude Code ended with exit code ${code}.`);
    // The last of its hints: what was not launched by now will not be.
    return line.startsWith("• Share memories: ") && !launched ? failed(reason) : null;
  };
}

/** Lines out of pieces; of a line that is longer than any that counts, only the beginning. */
function lineReader(eachLine) {
  let begun = "";
  return (text) => {
    const lines = text.split("\n");
    for (const [index, part] of lines.entries()) {
      begun += part.slice(0, LINE_CHARS - begun.length);
      if (index === lines.length - 1) break;
      eachLine(begun.trimEnd());
      begun = "";
    }
  };
}

/** Writes an end down in the swarm's own books. Without the task's marker, or it would be ended with the task. */
function note(argv) {
  const { HIVEGATE_TASK_ID: _, ...env } = process.env;
  return short(argv, env);
}

function short([file = "", ...args], env = process.env) {
  return new Promise((resolve) => {
    const options = { ...SHORT_COMMAND, env };
    execFile(file, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
}

function killGroup(signal) {
  if (group === null) return;
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended since.
  }
}

function say(text) {
  if (text === "") return true;
  atLineStart = text.endsWith("\n");
  return process.stdout.write(text);
}

function tell(event) {
  say(`${atLineStart ? "" : "\n"}${JSON.stringify(event)}\n`);
}

function failed(reason) {
  return { event: "failed", reason };
}
