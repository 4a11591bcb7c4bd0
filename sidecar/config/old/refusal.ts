import { HivegateError } from "../../../shared/errors.ts";

/** What a client hears when the older database's own rules are against what was to be written. */
export const refusal = (cause: unknown): HivegateError =>
  new HivegateError(
    "config_invalid",
    "The older system's database refuses it: a value is too long, out of its range, or against one of its rules.",
    { cause },
  );
