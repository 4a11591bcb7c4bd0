/** Which of the two places a client's question goes to, and what is written where: while a migration goes on there are two. */
import type { ConfigBackend } from "./backend.ts";
import type { ConfigEdit } from "./entry.ts";

export interface ConfigRouter {
  /** `read` may be asked twice, once of each, to compare the two. `operation` is what it is counted under. */
  read<T>(client: string, operation: string, read: (backend: ConfigBackend) => Promise<T>): Promise<T>;
  /** `storeWrite` writes the store and gives its revision. Whatever is thrown, nothing was changed in either. */
  write(edits: readonly ConfigEdit[], storeWrite: () => number): Promise<number>;
}

/** Without an older system everything goes to the store. */
export const storeAlone = (store: ConfigBackend): ConfigRouter => ({
  read: (_client, _operation, read) => read(store),
  write: async (_edits, storeWrite) => storeWrite(),
});
