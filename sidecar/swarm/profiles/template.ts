/** Arguments with placeholders, `{name}`. Other braces stand for themselves. */
const HOLE = /\{([a-z][a-z_]*)\}/g;

export const holes = (template: string): string[] =>
  [...template.matchAll(HOLE)].map(([, name = ""]) => name);

/** One argument stays one, whatever is put in; placeholders in what is put in stand for themselves. */
export const filled = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(HOLE, (hole, name: string) => values[name] ?? hole);
