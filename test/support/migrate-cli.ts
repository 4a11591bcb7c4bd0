/** `hivegate migrate` as a process of its own, which may be killed, and what it leaves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const CLI = fileURLToPath(new URL("../../sidecar/cli/main.ts", import.meta.url));

const Line = z.looseObject({ step: z.string().optional(), result: z.string().optional() });
export type Line = z.infer<typeof Line>;

export type MigrateProcess = {
  /** Null: it was killed. */
  exitCode: number | null;
  lines: Line[];
  err: string;
};

/** `onLine` hears of each line with the ways to kill the process, and to read no more of it. */
export async function runMigrate(
  args: readonly string[],
  {
    env = {},
    onStart = () => {},
    onLine = () => {},
  }: {
    env?: Record<string, string>;
    onStart?(kill: () => void): void;
    onLine?(index: number, kill: () => void, leave: () => void): void;
  } = {},
): Promise<MigrateProcess> {
  const child = spawn(process.execPath, [CLI, "migrate", ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const lines: Line[] = [];
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.endsWith("}")) return; // Killed in the middle of it.
    lines.push(Line.parse(JSON.parse(line)));
    onLine(lines.length - 1, kill, () => void child.stdout.destroy());
  });
  onStart(kill);
  await once(child, "close");
  process.off("exit", kill);
  return { exitCode: child.exitCode, lines, err };
}
