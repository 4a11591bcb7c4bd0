/** All clients of a shard lose their connection at once and come back, while the swarm goes on changing. */
import { clientsOf } from "./rig/crowd.ts";
import { startRig } from "./rig/rig.ts";

const CLIENTS = 1_000;
const SWARM = { agents: 200, changing: 10, swarms: 4 };

export type Storm = {
  clients: number;
  /** Until the last one had its connection, and knew that it had missed nothing. */
  backMs: number;
  /** Those that went on from where they were; the others got a snapshot. */
  recovered: number;
  snapshots: number;
  /** What all of them received until then, and what a snapshot each would have been. */
  receivedBytes: number;
  snapshotsBytes: number;
};

export async function measureStorm(): Promise<Storm> {
  const rig = await startRig(SWARM);
  const { crowd, sidecar, gateway } = rig;
  try {
    await crowd.connect(
      "all",
      await clientsOf(gateway, CLIENTS, [{ filters: { include_performance: true } }]),
    );
    await crowd.haveSnapshots("all");
    await sidecar.run({ hz: 10, jitter: false, stamped: false });
    const before = await crowd.counts("all");
    const backMs = await crowd.reconnect("all");
    const after = await crowd.counts("all");
    await sidecar.pause();
    await crowd.converged("all", await sidecar.agents());
    return {
      ...{ clients: CLIENTS, backMs, recovered: after.recovered },
      snapshots: after.snapshots - before.snapshots,
      receivedBytes: after.wireBytes,
      snapshotsBytes: before.snapshotBytes,
    };
  } finally {
    await rig.stop();
  }
}
