/** How figures read. What is unknown is a dash, never a nought. */
export const UNKNOWN = "–";

/** `value` in percent, as CPU use comes. */
export const percent = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : `${value.toFixed(value < 10 ? 1 : 0)} %`;

/** `value` from 0 to 1. */
export const share = (value: number | null | undefined): string =>
  value == null ? UNKNOWN : `${Math.floor(value * 100)} %`;

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  let left = value;
  let unit = 0;
  for (; left >= 999.5 && unit < UNITS.length - 1; unit++) left /= 1000;
  return `${left.toFixed(left < 9.95 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`;
}

/** "1 agent", "2 agents". */
export const plural = (count: number, noun: string): string =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** How a state looks: the upstreams' words are many, the page's tones few. */
export type Tone = "busy" | "good" | "bad" | "quiet";

const TONES: Record<string, Tone> = {
  spawning: "busy",
  starting: "busy",
  running: "busy",
  working: "busy",
  active: "busy",
  busy: "busy",
  done: "good",
  completed: "good",
  healthy: "good",
  failed: "bad",
  lost: "bad",
  error: "bad",
  critical: "bad",
};

export const toneOf = (status: string): Tone => TONES[status.toLowerCase()] ?? "quiet";
