/** Who sent what through the relay, one line of JSON for each message, written in the background. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RelayClient } from "../../shared/relay/records.ts";
import type { Logger } from "../log.ts";
import { LineFile } from "./line-file.ts";
import type { Direction, RelayMetrics } from "./metrics.ts";

/** `client` is null for what went to all clients of a connection. `method`: of a batch all of them, null if unknown. */
export type AuditLine = {
  client: RelayClient | null;
  direction: Direction;
  data: string | Uint8Array;
  method: string | null;
  outcome: "passed" | ErrorCode;
};

/** A longer name, or more names of a batch, are cut there. */
const METHOD_CHARS = 500;
/** A file that has grown to this is moved to `….1`, in place of the one before. */
const FILE_BYTES = 64 * 1024 * 1024;

export type RelayAuditOptions = {
  file: string;
  /** Write what the messages say as well. */
  withContent: boolean;
  now(): number;
  metrics: RelayMetrics;
  log: Logger;
  fileBytes?: number;
};

export class RelayAudit {
  readonly #options: RelayAuditOptions;
  readonly #file: LineFile;
  readonly #who = new WeakMap<RelayClient, string>();

  constructor(options: RelayAuditOptions) {
    this.#options = options;
    const { file, log, metrics, fileBytes = FILE_BYTES } = options;
    mkdirSync(dirname(file), { recursive: true });
    this.#file = new LineFile({
      ...{ file, fileBytes },
      lost: () => metrics.auditLost++,
      failed: (err) => log.error({ err }, "the relay's audit cannot be written"),
    });
  }

  write({ client, direction, data, method, outcome }: AuditLine): void {
    const isText = typeof data === "string";
    const name = method === null ? null : method.slice(0, METHOD_CHARS);
    this.#file.write(
      `{"time":${this.#options.now()},${this.#client(client)},"direction":"${direction}",` +
        `"kind":"${isText ? "text" : "binary"}","method":${JSON.stringify(name)},` +
        `"bytes":${isText ? Buffer.byteLength(data) : data.length},"outcome":"${outcome}"${this.#content(data)}}\n`,
    );
  }

  /** Resolves when all is written, or could not be in time. What is said from now on is not written. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** The same for every line of a client. */
  #client(client: RelayClient | null): string {
    if (!client) return '"client":null,"subject":null';
    let who = this.#who.get(client);
    if (who === undefined) {
      who = `"client":${JSON.stringify(client.id)},"subject":${JSON.stringify(client.subject)}`;
      this.#who.set(client, who);
    }
    return who;
  }

  #content(data: string | Uint8Array): string {
    if (!this.#options.withContent) return "";
    const text = typeof data === "string" ? data : Buffer.from(data).toString("base64");
    return `,"content":${JSON.stringify(text)}`;
  }
}
