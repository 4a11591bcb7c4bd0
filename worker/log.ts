import { HivegateError } from "../shared/errors.ts";

/** What was refused to whom, one line of JSON each. It holds nothing that a client said but names. */
export const audit = (refused: object): void => {
  console.error(JSON.stringify({ message: "relay refused", ...refused }));
};

/** One line of JSON for the one who runs the gateway: what clients do not read is here. */
export const log = (message: string, error: unknown): void => {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = error instanceof HivegateError ? error.code : undefined;
  const because = cause instanceof Error ? (code === "internal" ? cause.stack : String(cause)) : cause;
  console.error(JSON.stringify({ message, code, error: String(error), cause: because }));
};
