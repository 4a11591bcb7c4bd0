import type { ConfigChanged } from "../protocol/config.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";

/** What a client knows of the MCP servers' configuration: which revision is in force, across its connections. */
export class ConfigNews {
  /** Null: it was never told. */
  revision: number | null = null;

  /** A change that this frame tells of, in so many words or by naming a revision that is another than the one known. */
  heard(frame: GatewayFrame): ConfigChanged | null {
    const revision = revisionIn(frame);
    if (revision === null || revision === this.revision) return null;
    const isFirst = this.revision === null;
    this.revision = revision;
    if (frame.type === "config_changed") return frame;
    if (isFirst || !("timestamp" in frame) || frame.timestamp === undefined) return null;
    const { timestamp } = frame;
    return { type: "config_changed", revision, added: [], changed: [], removed: [], timestamp };
  }
}

function revisionIn(frame: GatewayFrame): number | null {
  if (frame.type === "config_changed") return frame.revision;
  return "config_revision" in frame ? (frame.config_revision ?? null) : null;
}
