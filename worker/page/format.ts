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

export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** Time of day, with the date when it is another day than `nowMs`. */
export function clockTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`;
}

/** "1 agent", "2 agents". */
export const plural = (count: number, noun: string): string =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

const pad = (value: number): string => String(value).padStart(2, "0");

/** How a state looks: the upstreams' words are many, the page's tones few. */
export type Tone = "busy" | "good" | "bad" | "quiet";

const TONES: Record<string, Tone> = {
  starting: "busy",
  running: "busy",
  working: "busy",
  active: "busy",
  busy: "busy",
  done: "good",
  completed: "good",
  healthy: "good",
  failed: "bad",
  error: "bad",
  critical: "bad",
};

export const toneOf = (status: string): Tone => TONES[status.toLowerCase()] ?? "quiet";
