import { HivegateError } from "../../shared/errors.ts";

/** A server answered in a way that cannot be read. Unlike a refusal it may have done what it was asked to. */
export class UnreadableAnswer extends HivegateError {
  constructor(cause: unknown) {
    super("mcp_failed", undefined, { cause });
  }
}
