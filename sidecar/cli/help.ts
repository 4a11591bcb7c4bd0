import type { Command } from "./command.ts";
import { table } from "./table.ts";

const EXIT_CODES = `Exit codes:
  0  done
  1  the task failed or did not stop, or the gateway answered with an error
  2  wrong usage
  3  the task that was followed was stopped
  4  the gateway cannot be reached
  5  a migration was taken back: it would have made something wrong or slow
  6  a migration could not be taken back: do the same again
  7  a migration stands, and is slower than it should be
  130  Ctrl-C; a task goes on`;

export const overview = (commands: Record<string, Command>): string =>
  `Watch and drive an agent swarm from anywhere.

Usage: hivegate <command> [options]

${indent(table(Object.entries(commands).map(([name, { summary }]) => [name, summary])))}
  help [COMMAND]
  --version

The gateway is taken from --url, --hive and --token, or HIVEGATE_URL, HIVEGATE_HIVE and HIVEGATE_TOKEN;
without them http://127.0.0.1:8787, "default" and the token in .hivegate/token, which npm start writes.

${EXIT_CODES}`;

export function helpFor({ summary, usage, options, example }: Command): string {
  const rows = Object.entries(options).map(([name, { value, help }]) => [optionText(name, value), help]);
  return [
    summary,
    `Usage: hivegate ${usage}`,
    ...(rows.length > 0 ? [indent(table(rows))] : []),
    `Example:\n  ${example}`,
  ].join("\n\n");
}

const optionText = (name: string, value: string | undefined): string =>
  value === undefined ? `--${name}` : `--${name} ${value}`;

const indent = (text: string): string => text.replace(/^/gm, "  ");
