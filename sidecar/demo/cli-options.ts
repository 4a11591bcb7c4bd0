/** The CLI's command line, read strictly: what is not known is an error, never ignored. */
import { parseArgs } from "node:util";
import { z } from "zod";
import { Priority, TaskText } from "../../shared/swarm/task.ts";

export const HELP = `Usage: hive-mind <command> [options]

  init                        see whether the swarm's daemon is there
  spawn [options] [--] TEXT   start a swarm for a task and follow it to its end
      --priority High|Medium|Low   4, 2 or 1 workers (Medium)
      --max-workers N              fewer workers
      --verbose                    print progress (json always does)
  status [SWARM]              one swarm, or all
  sessions                    all swarms, those that ended included
  stop SWARM                  end a swarm's work
  pause SWARM, resume SWARM   let it rest, let it go on
  help

  --format json               for machines; spawn: one JSON object a line

A task: "count primes below 5000000", or any text, which is hashed many times over. Exit codes: 0 done,
1 failed, 2 wrong usage, 3 the swarm was stopped. SIGTERM or Ctrl-C while spawn follows a swarm stops it.
HIVEGATE_TASK_ID, if set, is the task's id: the same id again follows the swarm it has started.
`;

const json = { format: z.enum(["json", "text"]).default("text") };

const Command = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("help"), ...json, operands: z.tuple([]) }),
  z.strictObject({ name: z.literal("init"), ...json, operands: z.tuple([]) }),
  z.strictObject({ name: z.literal("sessions"), ...json, operands: z.tuple([]) }),
  z.strictObject({
    name: z.literal("status"),
    ...json,
    operands: z.array(z.string()).max(1),
  }),
  z.strictObject({ name: z.literal("stop"), ...json, operands: z.tuple([z.string()]) }),
  z.strictObject({ name: z.literal("pause"), ...json, operands: z.tuple([z.string()]) }),
  z.strictObject({ name: z.literal("resume"), ...json, operands: z.tuple([z.string()]) }),
  z.strictObject({
    name: z.literal("spawn"),
    ...json,
    operands: z.tuple([TaskText]),
    priority: Priority.default("Medium"),
    "max-workers": z
      .string()
      .regex(/^[1-9]\d{0,5}$/, "must be a number from 1")
      .transform(Number)
      .optional(),
    verbose: z.boolean().default(false),
  }),
]);
export type Command = z.infer<typeof Command>;
export type SpawnCommand = Extract<Command, { name: "spawn" }>;

export class UsageError extends Error {}

/** @throws UsageError with one line that says what is wrong */
export function readCommand(args: readonly string[]): Command {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    return { name: "help", format: "text", operands: [] };
  }
  const { values, positionals } = split(rest);
  if (values.help) return { name: "help", format: "text", operands: [] };
  const parsed = Command.safeParse({ name, operands: positionals, ...values });
  if (!parsed.success) throw new UsageError(explain(name, parsed.error));
  return parsed.data;
}

function split(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        format: { type: "string" },
        priority: { type: "string" },
        "max-workers": { type: "string" },
        verbose: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function explain(name: string, error: z.ZodError): string {
  const [issue] = error.issues;
  const [field, ...deeper] = issue?.path ?? [];
  if (issue?.code === "unrecognized_keys") return `${name} has no option --${issue.keys[0]}`;
  if (field === "name") return `there is no command ${JSON.stringify(name)}`;
  if (field !== "operands") return `--${String(field)}: ${issue?.message}`;
  if (deeper.length > 0) return `${name}: ${issue?.message}`;
  return name === "spawn" ? "spawn takes one TEXT: quote it" : `${name}: wrong number of arguments`;
}
