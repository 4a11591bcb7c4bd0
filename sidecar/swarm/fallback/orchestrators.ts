import type { McpProfileName } from "../../mcp/server-config.ts";
import { claudeFlow2Orchestrator } from "./claude-flow-2-orchestrator.ts";
import { claudeFlow3Orchestrator } from "./claude-flow-3-orchestrator.ts";
import { demoOrchestrator } from "./demo-orchestrator.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { ruvSwarmOrchestrator } from "./ruv-swarm-orchestrator.ts";

/** How servers of each kind are given tasks; null: they are not. */
export const ORCHESTRATORS: Record<McpProfileName, Orchestrator | null> = {
  demo: demoOrchestrator,
  "claude-flow@3": claudeFlow3Orchestrator,
  "claude-flow@2": claudeFlow2Orchestrator,
  "ruv-swarm": ruvSwarmOrchestrator,
  generic: null,
};
