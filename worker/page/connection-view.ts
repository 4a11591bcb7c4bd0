import type { ConnectionState } from "../../shared/client/connection.ts";
import type { LivePicture } from "../../shared/client/live-picture.ts";
import { clockTime } from "../../shared/client/time-text.ts";
import { byId, setAttribute, setText } from "./dom.ts";
import type { Tone } from "./format.ts";

const element = byId("connection", HTMLElement);

/** Whether what the page shows is live, and if not, why and since when. */
export function renderConnection(
  state: ConnectionState | null,
  picture: LivePicture | null,
  nowMs: number,
): void {
  const [text, tone] = words(state, picture, nowMs);
  setText(element, text);
  setAttribute(element, "data-tone", tone);
  setAttribute(document.body, "data-live", String(picture?.live ?? false));
}

function words(state: ConnectionState | null, picture: LivePicture | null, nowMs: number): [string, Tone] {
  if (!state || !picture || state.name === "closed") return ["Signed out", "quiet"];
  const since = picture.staleSinceMs === null ? "" : ` · last seen ${clockTime(picture.staleSinceMs, nowMs)}`;
  if (state.name !== "open")
    return picture.epoch === null ? ["Connecting…", "quiet"] : [`Reconnecting…${since}`, "bad"];
  if (picture.live) return ["Live", "good"];
  return picture.epoch === null ? ["Waiting for the sidecar", "quiet"] : [`No sidecar${since}`, "bad"];
}
