/** What Docker's refusals mean to a client: one sentence each, without address or path. */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";

/** The parts of what dockerode and Node throw that say what went wrong; anything else counts as no answer. */
const Refusal = z.object({
  statusCode: z.number().optional().catch(undefined),
  code: z.string().optional().catch(undefined),
});

/** Whether Docker answered that there is no such thing (container, exec). */
export const isNotFound = (thrown: unknown): boolean => refusalOf(thrown).statusCode === 404;

/** The connection was never made, so Docker cannot have heard of the call. */
const NEVER_CONNECTED: readonly (string | undefined)[] = ["ENOENT", "ECONNREFUSED", "EACCES", "EPERM"];

/** Whether a call that failed may still have been carried out: it was sent, and no answer came. */
export function mayHaveArrived(thrown: unknown): boolean {
  const { statusCode, code } = refusalOf(thrown);
  return statusCode === undefined && !NEVER_CONNECTED.includes(code);
}

/** Whatever a call to Docker threw, as `swarm_unavailable`. */
export function dockerUnavailable(thrown: unknown): HivegateError {
  if (thrown instanceof HivegateError) return thrown;
  return new HivegateError("swarm_unavailable", adviceFor(refusalOf(thrown)), { cause: thrown });
}

/**
 * Whether the daemon or the container is away, as far as an executor's error tells: no connection, no answer in
 * time, no such container, or one that does not run. Anything else is wrong with the one command.
 */
export function isAway(thrown: unknown): boolean {
  if (!(thrown instanceof HivegateError) || thrown.code !== "swarm_unavailable") return false;
  const { statusCode } = refusalOf(thrown.cause);
  return statusCode === undefined || statusCode === 404 || statusCode === 409;
}

function adviceFor({ statusCode, code }: z.infer<typeof Refusal>): string {
  if (statusCode === 404) return "The swarm's container does not exist. Create it, or correct its name.";
  if (statusCode === 409) return "The swarm's container is not running, or paused. Start it, or unpause it.";
  if (statusCode !== undefined) return "Docker could not run the command. Look at the sidecar's log.";
  if (code === "EACCES" || code === "EPERM") {
    return "The sidecar may not use Docker. Give its user access to it.";
  }
  if (code === "ABORT_ERR") return "Docker did not answer in time. Check its daemon.";
  return "Docker does not answer. Check that its daemon runs.";
}

function refusalOf(thrown: unknown): z.infer<typeof Refusal> {
  const parsed = Refusal.safeParse(thrown);
  return parsed.success ? parsed.data : {};
}
