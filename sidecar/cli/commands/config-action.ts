import type { HivegateClient } from "../../../shared/client/rest.ts";
import type { Arguments, ExitCode, Io } from "../command.ts";

/** One of the things that `hivegate config` does through the gateway. */
export type ConfigAction = {
  usage: string;
  /** How many words follow its own, at least and at most. */
  words: [number, number];
  run(asked: AskedConfig): Promise<ExitCode>;
};

export type AskedConfig = {
  client: HivegateClient;
  words: string[];
  args: Arguments;
  io: Io;
  /** Says it to a program or to a person, as was asked. */
  answer(answer: unknown, text: () => string): Promise<ExitCode>;
};
