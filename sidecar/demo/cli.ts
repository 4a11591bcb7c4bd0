/** The `hive-mind` CLI: drives the daemon over its MCP port. */
import { z } from "zod";
import { type Command, HELP, readCommand, UsageError } from "./cli-options.ts";
import { CallRefused, ConnectionLost, DaemonClient } from "./client.ts";
import { readConfig } from "./config.ts";
import { spawnSwarm } from "./spawn.ts";

const SwarmList = z.object({
  swarms: z.array(
    z.looseObject({
      swarmId: z.string(),
      status: z.string(),
      task: z.string(),
      workerCount: z.number(),
      progress: z.number(),
    }),
  ),
});
type SwarmList = z.infer<typeof SwarmList>;

type Env = Record<string, string | undefined>;

/**
 * Runs one command; answers with the exit code: 0, 1 failed, 2 wrong usage, 3 stopped.
 * @throws StartError when the daemon cannot be reached or the environment is wrong
 */
export async function hiveMind(args: readonly string[], env: Env): Promise<number> {
  // A reader that goes away must not end us: the swarm that we follow can still be stopped by a signal.
  process.stdout.on("error", () => {});
  try {
    const command = readCommand(args);
    if (command.name === "help") {
      process.stdout.write(HELP);
      return 0;
    }
    if (command.name === "spawn") return await spawnSwarm(command, readConfig(env), env.HIVEGATE_TASK_ID);
    return await runShort(command, env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`hive-mind: ${error.message}\nSee: hive-mind help\n`);
    return 2;
  }
}

type ShortCommand = Exclude<Command, { name: "help" | "spawn" }>;

async function runShort(command: ShortCommand, env: Env): Promise<number> {
  const client = await DaemonClient.connect(readConfig(env));
  try {
    const { data, text } = await answer(command, client);
    process.stdout.write(command.format === "json" ? `${JSON.stringify(data)}\n` : `${text}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof CallRefused || error instanceof ConnectionLost)) throw error;
    if (command.format === "json") {
      process.stdout.write(`${JSON.stringify({ success: false, error: error.message })}\n`);
    }
    process.stderr.write(`hive-mind: ${error.message}\n`);
    return 1;
  } finally {
    client.close();
  }
}

async function answer(command: ShortCommand, client: DaemonClient): Promise<{ data: unknown; text: string }> {
  switch (command.name) {
    case "init": {
      // Nothing has to be prepared: a daemon that answers is ready.
      const { swarms } = await client.call("swarm_status", {}, SwarmList);
      return { data: { success: true, swarms: swarms.length }, text: "The swarm's daemon is ready." };
    }
    case "status": {
      const [swarmId] = command.operands;
      const list = await client.call("swarm_status", { swarmId }, SwarmList);
      return { data: list, text: table(list) };
    }
    case "sessions": {
      const list = await client.call("swarm_status", {}, SwarmList);
      return { data: { sessions: list.swarms }, text: table(list) };
    }
    case "stop":
    case "pause":
    case "resume": {
      const [swarmId] = command.operands;
      const { status } = await client.call(
        `task_${command.name}`,
        { swarmId },
        z.object({ status: z.string() }),
      );
      return { data: { success: true, swarmId, status }, text: `${swarmId} is ${status} now.` };
    }
  }
}

/** Texts may hold anything, commands to the terminal included: those are escaped or taken out. */
function table({ swarms }: SwarmList): string {
  if (swarms.length === 0) return "No swarms.";
  return swarms
    .map(({ swarmId, status, progress, workerCount, task }) => {
      const percent = `${Math.floor(progress * 100)} %`;
      return `${swarmId}  ${status}  ${percent}  ${workerCount} workers  ${JSON.stringify(task).replace(/[\u007f-\u009f]/g, "?")}`;
    })
    .join("\n");
}
