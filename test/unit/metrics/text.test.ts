import { describe, expect, it } from "vitest";
import { type Family, seriesOf, toText } from "../../../shared/metrics/text.ts";

const FAMILIES: Family[] = [
  { name: "bees_total", type: "counter", help: "Bees \\ seen,\nby kind." },
  { name: "flight_seconds", type: "histogram", help: "Flights." },
  { name: "hives", type: "gauge", help: "Hives." },
];

describe("Prometheus text", () => {
  it("H10 names series as Prometheus does", () => {
    expect(seriesOf("hives")).toBe("hives");
    expect(seriesOf("bees_total", { kind: "queen", place: "a" })).toBe('bees_total{kind="queen",place="a"}');
    expect(seriesOf("bees_total", { kind: '"\\\n' })).toBe('bees_total{kind="\\"\\\\\\n"}');
  });

  it("H10 writes each family once, with its series and the labels that all have", () => {
    const samples = new Map([
      ["hives", 2],
      [seriesOf("bees_total", { kind: "queen" }), 1],
      [seriesOf("bees_total", { kind: "worker" }), 40],
      [seriesOf("flight_seconds_bucket", { le: "1" }), 3],
      [seriesOf("flight_seconds_bucket", { le: "+Inf" }), 4],
      ["flight_seconds_sum", 5.5],
      ["flight_seconds_count", 4],
    ]);
    expect(toText(FAMILIES, samples, { hive: "a" })).toBe(`# HELP bees_total Bees \\\\ seen,\\nby kind.
# TYPE bees_total counter
bees_total{kind="queen",hive="a"} 1
bees_total{kind="worker",hive="a"} 40
# HELP flight_seconds Flights.
# TYPE flight_seconds histogram
flight_seconds_bucket{le="1",hive="a"} 3
flight_seconds_bucket{le="+Inf",hive="a"} 4
flight_seconds_sum{hive="a"} 5.5
flight_seconds_count{hive="a"} 4
# HELP hives Hives.
# TYPE hives gauge
hives{hive="a"} 2
`);
  });

  it("H10 leaves out what is of no known family, and tells of a family without a sample all the same", () => {
    expect(toText(FAMILIES.slice(2), new Map([["wasps", 1]]), {})).toBe(
      "# HELP hives Hives.\n# TYPE hives gauge\n",
    );
    expect(toText(FAMILIES.slice(2), new Map([["hives", 1]]), {})).toContain("\nhives 1\n");
  });
});
