/** Runs one command line: finds the command, reads its options, and turns errors into a line and an exit code. */
import { parseArgs } from "node:util";
import { GatewayUnreachable } from "../../shared/client/client-errors.ts";
import { type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { type Arguments, type Command, EXIT, type ExitCode, type Io, UsageError } from "./command.ts";
import { helpFor, overview } from "./help.ts";

export type Program = { version: string; commands: Record<string, Command> };

/** @throws only what is a fault of ours */
export async function runProgram(program: Program, argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name = "", ...rest] = argv;
  try {
    if (name === "--version") return await say(io, program.version);
    if (name === "help" || name === "--help" || name === "-h") return await help(program, rest[0], io);
    const command = find(program, name);
    const args = readArguments(command, rest);
    if (args.flag("help")) return await say(io, helpFor(command));
    checkWords(command, args);
    return await command.run(args, io);
  } catch (thrown) {
    const [message, code] = failure(thrown);
    await io.err(`hivegate: ${message}\n`);
    return code;
  }
}

async function help(program: Program, name: string | undefined, io: Io): Promise<ExitCode> {
  return say(io, name === undefined ? overview(program.commands) : helpFor(find(program, name)));
}

async function say(io: Io, text: string): Promise<ExitCode> {
  await io.out(`${text}\n`);
  return EXIT.done;
}

function find(program: Program, name: string): Command {
  const command = Object.hasOwn(program.commands, name) ? program.commands[name] : undefined;
  if (command) return command;
  const names = Object.keys(program.commands).join(", ");
  throw new UsageError(
    name === ""
      ? `which command? One of ${names}. See: hivegate help`
      : `there is no command "${name}". There are ${names}.`,
  );
}

function readArguments(command: Command, argv: string[]): Arguments {
  const options = { ...command.options, help: { type: "boolean", short: "h" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
    const known = new Map<string, unknown>(Object.entries(values));
    return {
      words: positionals,
      text: (name) => {
        const value = known.get(name);
        return typeof value === "string" ? value : undefined;
      },
      flag: (name) => known.get(name) === true,
    };
  } catch (thrown) {
    // parseArgs says in its first sentence what is wrong.
    const [message = ""] = (thrown instanceof Error ? thrown.message : "").split(". ");
    throw new UsageError(`${message}. Usage: hivegate ${command.usage}`);
  }
}

function checkWords(command: Command, { words }: Arguments): void {
  const [least, most] = command.words;
  if (words.length < least) throw new UsageError(`something is missing. Usage: hivegate ${command.usage}`);
  if (words.length > most)
    throw new UsageError(
      `"${words[most]}" is one word too many. Put a text of several words in quotes. Usage: hivegate ${command.usage}`,
    );
}

/** Where the gateway's words are for programs, ours for the person at the terminal. */
const ADVICE: { [Code in ErrorCode]?: string } = {
  unauthorized: 'the gateway does not accept this token. "hivegate token" makes one.',
  token_expired: 'the token has expired. "hivegate token" makes a fresh one.',
};

function failure(thrown: unknown): [string, ExitCode] {
  if (thrown instanceof UsageError) return [thrown.message, EXIT.usage];
  if (thrown instanceof GatewayUnreachable) return [thrown.message, EXIT.unreachable];
  if (thrown instanceof HivegateError) return [ADVICE[thrown.code] ?? thrown.message, EXIT.failed];
  throw thrown;
}
