import { checkConfigFile } from "../../config/file/check.ts";
import { type Command, EXIT, UsageError } from "../command.ts";
import { table } from "../table.ts";

export const config: Command = {
  summary: "Check a file of MCP servers, without a sidecar",
  usage: "config check FILE",
  example: "hivegate config check .mcp.json",
  options: {},
  words: [2, 2],
  async run({ words: [what, path = ""] }, io) {
    if (what !== "check") throw new UsageError("there is only: hivegate config check FILE");
    const text = io.readFile(path);
    if (text === null) throw new UsageError(`${path} cannot be read`);
    const { problems, warnings, servers } = checkConfigFile(text, io.env);
    const line = (about: string) => (problem: (typeof problems)[number]) =>
      `${path}:${problem.line}:${problem.column}: ${about}${problem.message}\n`;
    await io.out(warnings.map(line("warning: ")).join(""));
    if (problems.length > 0) {
      await io.err(problems.map(line("")).join(""));
      return EXIT.failed;
    }
    const rows = servers.map(({ name, kind, enabled }) => [name, kind, enabled ? "" : "disabled"]);
    await io.out(rows.length === 0 ? "No servers.\n" : `${table(rows)}\n`);
    return EXIT.done;
  },
};
