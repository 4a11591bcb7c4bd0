/** A swarm's CLI described in a file: what `SWARM_PROFILE_FILE` may hold. The descriptions are the reference. */
import { z } from "zod";
import { TaskState } from "../../../shared/swarm/task.ts";
import { Pattern, PatternOfOne } from "./pattern.ts";
import { holes } from "./template.ts";

const MAX_ELEMENTS = 100;
const Text = z.string().max(1_000);

const argv = (...known: string[]) =>
  z
    .array(
      Text.refine(
        (element) => holes(element).every((hole) => known.includes(hole)),
        `expected no placeholder but ${known.map((hole) => `{${hole}}`).join(", ") || "none"}`,
      ),
    )
    .max(MAX_ELEMENTS);

const Pointer = z
  .string()
  .max(200)
  .regex(/^(?:\/(?:[^/~]|~[01])*)*$/, "expected a JSON Pointer, like /swarms or the empty text for all")
  .describe("JSON Pointer (RFC 6901): where something is in the JSON object that a command printed");

const Scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const Holds = z
  .record(Pointer, Scalar)
  .refine((places) => Object.keys(places).length > 0, { message: "expected at least one place" });

const Check = z
  .strictObject({
    line: Pattern.optional().describe("fits a line of stdout"),
    json: Holds.optional().describe("what the printed JSON holds at each place"),
  })
  .refine(({ line, json }) => line !== undefined || json !== undefined, {
    message: "expected line or json: exit code 0 alone says little",
  })
  .describe("Whether a command succeeded: exit code 0, and all of this. At least one of the two.");

const SpawnElement = z.union([
  argv("task", "task_id", "priority").element,
  z
    .strictObject({ verbose: argv("task_id", "priority") })
    .describe("elements that are there only when the client asks for more output"),
]);

const Spawn = z.strictObject({
  argv: z
    .array(SpawnElement)
    .min(1)
    .max(MAX_ELEMENTS)
    .refine((elements) => elements.filter((element) => holesIn(element).includes("task")).length === 1, {
      message: "expected {task} in exactly one element",
    })
    .describe(
      "Arguments of the CLI. {task}, {task_id} and {priority} are replaced; what replaces them stays within its element, whatever it holds. Put {task} behind a -- where the CLI knows one: a text may begin with -.",
    ),
  priorities: z
    .strictObject({ High: Text, Medium: Text, Low: Text })
    .default({ High: "High", Medium: "Medium", Low: "Low" })
    .describe("what {priority} is replaced by"),
});

const Rule = z
  .strictObject({
    line: Pattern.optional().describe("fits one of the last lines of stdout"),
    exitCode: z.union([z.int().min(0).max(255), z.literal("not 0")]).optional(),
    state: TaskState.extract(["completed", "failed", "stopped"]),
    reason: z
      .string()
      .max(500)
      .optional()
      .describe("what clients read when the task failed; without it, what the first group of line captured"),
  })
  .refine(({ line, exitCode }) => line !== undefined || exitCode !== undefined, {
    message: "expected line, exitCode or both",
  });

const Outcome = z.strictObject({
  lastLines: z.int().min(1).max(50).default(12).describe("How many lines that are not empty count as last."),
  rules: z
    .array(Rule)
    .min(1)
    .max(20)
    .describe(
      "How a task ended, by the first rule that fits. Without one: failed, or lost when nobody saw the exit code.",
    ),
});

const List = z.union([
  z.strictObject({
    argv: argv(),
    json: z.strictObject({
      swarms: Pointer.describe("a list of swarms, or one"),
      where: Holds.optional().describe(
        "what a swarm has to hold: others are left out, and an answer without these places is none",
      ),
      swarm_id: Pointer,
      status: Pointer,
      topology: Pointer.optional(),
      worker_count: Pointer.optional(),
      task_id: Pointer.optional().describe("the id that spawn was given as {task_id}"),
    }),
  }),
  z.strictObject({
    argv: argv(),
    line: Pattern.refine((pattern) => /\(\?<swarm_id>/.test(pattern) && /\(\?<status>/.test(pattern), {
      message: "expected the named groups swarm_id and status",
    }).describe(
      "Fits each line that is a swarm. Named groups: swarm_id, status, and where they are topology, worker_count, task_id.",
    ),
    none: Pattern.describe(
      "fits a line that says that there is no swarm; else nothing is taken for no answer",
    ),
  }),
]);

const Control = z
  .strictObject({ argv: argv("swarm_id"), succeeded: Check })
  .refine((control) => control.argv.some((element) => holes(element).includes("swarm_id")), {
    message: "expected {swarm_id} in argv",
  });

export const CustomProfile = z
  .strictObject({
    $schema: z.string().optional(),
    name: z
      .string()
      .regex(/^[\w@.-]{1,50}$/, "expected up to 50 letters, digits and @ . - _")
      .describe("For the log."),
    cli: z
      .array(z.string().min(1).max(1_000))
      .min(1)
      .max(20)
      .describe(
        "The swarm's CLI, to which all arguments are added. CLAUDE_FLOW_PATH, when set, replaces it.",
      ),
    prepare: z
      .strictObject({ check: argv(), ready: Check, argv: argv() })
      .optional()
      .describe(
        "Makes the swarm ready for its first task: argv is run, when check does not say that it is ready.",
      ),
    spawn: Spawn,
    swarmId: PatternOfOne.optional().describe(
      "Fits one of the first 200 lines of stdout; its group is the swarm's id.",
    ),
    outcome: Outcome,
    list: List.optional(),
    controls: z
      .strictObject({ stop: Control.optional(), pause: Control.optional(), resume: Control.optional() })
      .default({})
      .describe(
        "What is not here is answered as not supported, but for stop: a task's processes are ended in any case.",
      ),
  })
  .describe("A profile of a swarm's CLI for Hivegate");

export type CustomProfile = z.infer<typeof CustomProfile>;
export type Check = z.infer<typeof Check>;
export type SpawnElement = z.infer<typeof SpawnElement>;

function holesIn(element: SpawnElement): string[] {
  return typeof element === "string" ? holes(element) : element.verbose.flatMap(holes);
}
