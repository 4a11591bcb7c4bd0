/**
 * Prometheus' text format, as much of it as is needed where no library for it runs. A series is named as
 * Prometheus writes it, `name{label="value"}`; one name and one number are all there is to a sample.
 */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A metric, with all of its series. Some are its name with an ending: see `ENDINGS`. */
export type Family = { name: string; type: keyof typeof ENDINGS; help: string };

const ENDINGS = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
} as const;

export type Samples = ReadonlyMap<string, number>;

/** A series' name. Labels are written in the order given: write the same ones the same way. */
export function seriesOf(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return pairs.length > 0 ? `${name}{${pairs.join(",")}}` : name;
}

/** All samples of the families, with `labels` added to each series. A sample of no known family is left out. */
export function toText(
  families: readonly Family[],
  samples: Samples,
  labels: Readonly<Record<string, string>>,
): string {
  const byFamily = Map.groupBy(samples, ([series]) => nameOf(series));
  return families
    .flatMap(({ name, type, help }) => {
      const lines = ENDINGS[type]
        .flatMap((ending) => byFamily.get(name + ending) ?? [])
        .map(([series, value]) => `${withLabels(series, labels)} ${value}\n`);
      return [`# HELP ${name} ${escapedHelp(help)}\n`, `# TYPE ${name} ${type}\n`, ...lines];
    })
    .join("");
}

/** The same series with these labels beside its own. */
export function withLabels(series: string, labels: Readonly<Record<string, string>>): string {
  const added = seriesOf("", labels).slice(1, -1);
  if (added === "") return series;
  return series.endsWith("}") ? `${series.slice(0, -1)},${added}}` : `${series}{${added}}`;
}

const nameOf = (series: string): string => series.replace(/\{.*$/s, "");

const escapedHelp = (text: string): string => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
const escaped = (value: string): string => escapedHelp(value).replace(/"/g, '\\"');
