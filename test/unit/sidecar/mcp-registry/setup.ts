import { Registry } from "../../../../sidecar/mcp/registry/registry.ts";
import { settingsOf } from "../../../../sidecar/mcp/registry/tool-entry.ts";
import type { Upstream } from "../../../../sidecar/mcp/upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";

export function registryOf(upstreams: readonly Upstream[], config: Parameters<typeof settingsOf>[0] = {}) {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const servers = upstreams.map((upstream) => ({ upstream, settings: settingsOf(config) }));
  return { registry: new Registry({ servers, epoch: "e", clock, log }), clock, lines };
}
