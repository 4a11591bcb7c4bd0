/** A row of servers or assignments of which only what is no memory was read. */
export type ComparedRow = {
  /** The id of the server that it is, or is about. */
  server: string;
  /** The server's; null: it is an assignment. */
  name: string | null;
  /** All of it. */
  text: string;
};

/** The names of the servers that were added, changed, taken away, or assigned otherwise. */
export function changedServers(before: readonly ComparedRow[], now: readonly ComparedRow[]): string[] {
  const names = new Map(
    [...before, ...now].flatMap(({ server, name }) => (name === null ? [] : [[server, name] as const])),
  );
  const textsOf = (rows: readonly ComparedRow[]) => new Set(rows.map(({ text }) => text));
  const [were, are] = [textsOf(before), textsOf(now)];
  const changed = [
    ...before.filter(({ text }) => !are.has(text)),
    ...now.filter(({ text }) => !were.has(text)),
  ];
  return [...new Set(changed.map(({ server }) => names.get(server) ?? server))].sort();
}
