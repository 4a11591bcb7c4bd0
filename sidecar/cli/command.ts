/** What a command of the CLI is, and what it may use. */

/** What the process exits with. Part of the interface: scripts depend on it. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  stopped: 3,
  unreachable: 4,
  /** Of `migrate`: what was done is taken back; it could not be taken back; it stands, and is not as it should be. */
  rolledBack: 5,
  rollbackFailed: 6,
  inDoubt: 7,
  /** As shells count it: 128 and the number of SIGINT. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Everything outside that a command touches. */
export type Io = {
  /** Resolves when the reader has taken it, so that nothing piles up before a slow one. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  env: Record<string, string | undefined>;
  /** The text of a file in the working directory; null when there is none. */
  readFile(path: string): string | null;
  now(): number;
  /** Width of the terminal; null when the output goes elsewhere. */
  columns: number | null;
  /** Has Ctrl-C call `listener` instead of ending the process; the answer undoes that. */
  onInterrupt(listener: () => void): () => void;
  /** From here on a reader of stdout or stderr who leaves early does not end the process. */
  outliveReaders(): void;
};

export type Option = { type: "string" | "boolean"; value?: string; help: string };

export type Arguments = {
  words: string[];
  text(name: string): string | undefined;
  flag(name: string): boolean;
};

export type Command = {
  summary: string;
  /** What follows `hivegate`. */
  usage: string;
  example: string;
  options: Record<string, Option>;
  /** How many words there have to be, at least and at most. */
  words: [number, number];
  run(args: Arguments, io: Io): Promise<ExitCode>;
};

/** The command line is wrong: the message says what to write instead. */
export class UsageError extends Error {}
