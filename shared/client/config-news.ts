import type { ConfigChanged } from "../protocol/config.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";

/** What a client knows of the MCP servers' configuration: which revision is in force, across its connections. */
export class ConfigNews {
  /** Null: it was never told. */
  revision: number | null = null;

  /** A change that this frame tells of: in so many words, or by a revision that is another than the one known. */
  heard(frame: GatewayFrame): ConfigChanged | null {
    if (!isTelling(frame)) return null;
    const revision = revisionIn(frame);
    if (revision === null || revision === this.revision) return null;
    const isFirst = this.revision === null;
    this.revision = revision;
    const change = changeIn(frame, revision);
    // The gateway may not have known yet when the client came: then this is none.
    const isNamed = [change.added, change.changed, change.removed].some(({ length }) => length > 0);
    return isFirst && !isNamed ? null : change;
  }
}

type Telling = GatewayFrame & { type: "config_changed" | "welcome" | "resumed" | "snapshot" };

const isTelling = (frame: GatewayFrame): frame is Telling =>
  frame.type === "config_changed" || "config_revision" in frame;

const revisionIn = (frame: Telling): number | null =>
  frame.type === "config_changed" ? frame.revision : (frame.config_revision ?? null);

const changeIn = (frame: Telling, revision: number): ConfigChanged =>
  frame.type === "config_changed"
    ? frame
    : {
        ...{ type: "config_changed", revision, added: [], changed: [], removed: [] },
        timestamp: frame.timestamp,
      };
