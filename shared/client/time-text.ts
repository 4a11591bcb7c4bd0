/** How times read, on the page and in a terminal. */

export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** Local time of day, with the date when it is another day than `nowMs`. */
export function clockTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`;
}

/** How long a task has taken so far, or took; "" before it began. */
export const taskDuration = (
  task: { startedAt: number | null; endedAt: number | null },
  nowMs: number,
): string => (task.startedAt === null ? "" : duration((task.endedAt ?? nowMs) - task.startedAt));

const pad = (value: number): string => String(value).padStart(2, "0");
