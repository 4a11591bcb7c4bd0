/** The JSON in a line; undefined where it is none, such as a log that went astray. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
