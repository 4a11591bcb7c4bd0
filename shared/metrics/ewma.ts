/** The exponentially weighted moving average after one more value: the first value is the first average. */
export const ewma = (average: number | null, value: number, weight: number): number =>
  average === null ? value : average + weight * (value - average);
