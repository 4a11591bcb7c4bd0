/** How far a migration is, for a person at a terminal or for a program that reads lines. */

/** In this order. Until `switch` ends nothing has changed but what is in the backup's directory. */
export const STEPS = ["check", "backup", "validate", "write", "verify", "compare", "switch"] as const;
export const ROLLBACK_STEPS = ["check", "validate", "source", "switch"] as const;
export type Step = (typeof STEPS)[number] | (typeof ROLLBACK_STEPS)[number];

/** `done` of `total`, in whatever the step counts. */
export type Progress = (step: Step, done: number, total: number) => Promise<void>;

type Out = (text: string) => Promise<void>;

export const jsonLines =
  (out: Out, now: () => number): Progress =>
  (step, done, total) =>
    out(`${JSON.stringify({ step, done, total, at: now() })}\n`);

/** Of a terminal that does not say how wide it is. */
const USUAL_COLUMNS = 80;
/** A narrower terminal gets no bar, only the words. */
const LEAST_BAR = 10;
const MOST_BAR = 40;
const GREEN = "\u001b[32m";
const PLAIN = "\u001b[39m";
const CLEAR_LINE = "\r\u001b[K";

/** One line, drawn again for each step that goes on; a step that is done leaves its line behind. */
export function bar(out: Out, terminalColumns: number, isColoured: boolean): Progress {
  const columns = terminalColumns || USUAL_COLUMNS;
  const width = Math.max(...STEPS.map((step) => step.length));
  return (step, done, total) => {
    const share = total === 0 ? 1 : done / total;
    const words = `${step.padEnd(width)} ${`${Math.floor(share * 100)}`.padStart(3)} %`;
    const room = Math.min(MOST_BAR, columns - words.length - 4);
    const line =
      room < LEAST_BAR ? words.slice(0, Math.max(0, columns - 1)) : `${words} ${drawn(share, room)}`;
    return out(`${CLEAR_LINE}${paint(line, isColoured && share === 1)}${share === 1 ? "\n" : ""}`);
  };
}

const drawn = (share: number, room: number): string => {
  const full = Math.floor(share * room);
  return `[${"#".repeat(full)}${"-".repeat(room - full)}]`;
};

const paint = (text: string, isGreen: boolean): string => (isGreen ? `${GREEN}${text}${PLAIN}` : text);
