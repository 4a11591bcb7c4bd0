/** A task as a profile runs it, with an executor alone: no ledger, no sidecar. */
import { randomUUID } from "node:crypto";
import type { Swarm } from "../../shared/protocol/sidecar.ts";
import type { Executor } from "../../sidecar/swarm/executor.ts";
import type { Profile } from "../../sidecar/swarm/profiles/profile.ts";

type Swarmed = { executor: Executor; profile: Profile; cli: readonly string[] };

/** `seen` grows; the swarm's id and the outcome are what the profile makes of it. */
export async function startProfileTask({ executor, profile, cli }: Swarmed, task: string) {
  const taskId = randomUUID();
  const seen = { stdout: "" };
  const argv = profile.spawn(cli, { taskId, task, priority: "High", verbose: true });
  const { exit } = await executor.start(
    { taskId, argv },
    {
      output: (stream, text) => {
        if (stream === "stdout") seen.stdout += text;
      },
      remember: () => {},
    },
  );
  return {
    taskId,
    seen,
    swarmId: () => profile.swarmId(seen.stdout),
    outcome: async () => profile.outcome((await exit).exitCode, seen.stdout),
  };
}

export async function listedBy({ executor, profile, cli }: Swarmed): Promise<Swarm[]> {
  if (!profile.list) throw new Error(`${profile.name} lists nothing`);
  return profile.list.read(await executor.run(profile.list.argv(cli), { timeoutMs: 30_000 }));
}
