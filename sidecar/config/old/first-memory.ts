/**
 * What the older system notes in a new row of its own running. It may do that in its code alone, so that a column has to be filled
 * and the database has no default for it.
 */
export const FIRST_MEMORY: ReadonlyMap<string, string | number> = new Map<string, string | number>([
  ["status", "stopped"],
  ["error_count", 0],
  ["connection_attempts", 0],
  ["tools_discovered", "[]"],
  ["resources_discovered", "[]"],
]);
