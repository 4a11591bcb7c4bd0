/** What real servers answered, captured with test/support/stdio-to-tcp.ts before they had agents and after. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import { toolData } from "../../../sidecar/mcp/tool-result.ts";
import type { CallTool } from "../../../sidecar/telemetry/profile.ts";

const Answer = z.union([z.object({ error: z.unknown() }), z.object({ result: z.unknown() })]);
const Answers = z.record(z.string(), Answer);
const Captured = z.object({ empty: Answers, busy: Answers, no_such_tool: Answer });

/** The server as it was: without agents, and with some. A tool that was not asked then is one that it does not have. */
export function captured(name: string): { empty: CallTool; busy: CallTool } {
  const file = join(import.meta.dirname, "fixtures", `${name}.json`);
  const { empty, busy, no_such_tool } = Captured.parse(JSON.parse(readFileSync(file, "utf8")));
  const calling =
    (answers: z.infer<typeof Answers>): CallTool =>
    async (tool) => {
      const answer = answers[tool] ?? no_such_tool;
      if ("error" in answer) throw new HivegateError("mcp_failed");
      return toolData(answer.result);
    };
  return { empty: calling(empty), busy: calling(busy) };
}
