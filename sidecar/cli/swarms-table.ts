import type { Swarm } from "../../shared/protocol/sidecar.ts";
import type { Io } from "./command.ts";
import { table } from "./table.ts";

/** The swarms as their own CLI describes them. What it does not say is a dash. */
export const swarmsTable = (swarms: readonly Swarm[], io: Io): string =>
  table(
    [
      ["SWARM", "STATUS", "WORKERS", "TOPOLOGY", "TASK"],
      ...swarms.map((swarm) => [
        swarm.swarmId,
        swarm.status,
        String(swarm.workerCount ?? "–"),
        swarm.topology ?? "–",
        swarm.taskId ?? "–",
      ]),
    ],
    io.columns,
  );
