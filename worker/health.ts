import { asHivegateError } from "../shared/errors.ts";
import type { HybridHealth } from "../shared/protocol/sidecar.ts";
import type { SidecarClient } from "./sidecar-client.ts";

/** `GET /health/hybrid` (H7). A sidecar that does not answer is itself an answer: nothing can be started. */
export async function hybridHealth(sidecar: SidecarClient, nowMs: number): Promise<HybridHealth> {
  try {
    return await sidecar.health();
  } catch (thrown) {
    return {
      system: "hybrid_docker_mcp",
      overall_status: "degraded",
      components: {
        docker_hive_mind: { status: "critical", error: asHivegateError(thrown).message, timestamp: nowMs },
        mcp_telemetry: { mcp_services: [], overall_mcp_health: "unavailable" },
      },
      note: "The gateway cannot reach the sidecar: no task can be started and no telemetry comes.",
      timestamp: nowMs,
    };
  }
}
