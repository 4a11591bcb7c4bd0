/** Prometheus text, taken apart. */
export type Sample = { name: string; labels: Record<string, string>; value: number };

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const PAIR = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @throws Error for a line that is no sample */
export const samplesIn = (text: string): Sample[] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const match = LINE.exec(line);
      if (!match) throw new Error(`not a sample: ${line}`);
      const [, name = "", pairs = "", value = ""] = match;
      const labels = Object.fromEntries(
        [...pairs.matchAll(PAIR)].map(([, label = "", text = ""]) => [label, text]),
      );
      return { name, labels, value: Number(value) };
    });

/** The metrics that a text tells of, with or without samples, by name: what type each is. */
export const familiesIn = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]));
