import { HivegateError } from "../../shared/errors.ts";

export const CANNOT_WRITE =
  "The sidecar cannot write to its state directory. Check its permissions and free space.";

/** What a client is told when a disk is full or must not be written to; `outcome` says what that left undone. */
export const cannotWrite = (cause: unknown, outcome?: string): HivegateError =>
  cause instanceof HivegateError
    ? cause
    : new HivegateError("swarm_unavailable", outcome ? `${CANNOT_WRITE} ${outcome}` : CANNOT_WRITE, {
        cause,
      });
