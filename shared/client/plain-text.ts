const ESCAPE = "\\u001b";
const BELL = "\\u0007";

// Colours and cursor moves, window titles, other escapes, and every other control character but tab and line end.
const CONTROLS = new RegExp(
  [
    `${ESCAPE}\\[[0-?]*[ -/]*[@-~]`,
    `${ESCAPE}\\][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\\\)`,
    `${ESCAPE}[@-Z\\\\-_]`,
    "(?![\\t\\n])\\p{Cc}",
  ].join("|"),
  "gu",
);

/** Text without what a terminal would obey: from strangers it could repaint the screen, on a page it is litter. */
export const withoutControls = (text: string): string => text.replace(CONTROLS, "");
