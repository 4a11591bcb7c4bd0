import { checkConfigFile } from "../../config/file/check.ts";
import { EXIT, type ExitCode, type Io, UsageError } from "../command.ts";
import { table } from "../table.ts";

/** Says what a file of MCP servers holds, or where it is wrong. It needs no sidecar. */
export async function checkConfig(path: string, io: Io): Promise<ExitCode> {
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
}
