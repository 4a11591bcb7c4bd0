/** Who sent what through the relay, one line of JSON for each message, written in the background. */
import { once } from "node:events";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { destination } from "pino";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RelayClient } from "../../shared/relay/records.ts";
import type { Logger } from "../log.ts";
import { withinMs } from "../swarm/tasks-deadline.ts";
import type { Direction, RelayMetrics } from "./metrics.ts";

/** `client` is null for what went to all clients of a connection. `method` is null where it is not known, all of them of a batch. */
export type AuditLine = {
  client: RelayClient | null;
  direction: Direction;
  data: string | Uint8Array;
  method: string | null;
  outcome: "passed" | ErrorCode;
};

/** A longer name, or more names of a batch, are cut there. */
const METHOD_CHARS = 500;
/** So much may wait to be written; lines above it are lost, and counted. */
const BUFFER_BYTES = 8 * 1024 * 1024;
/** Lines are handed on so many characters at a time: handed on one by one, they would cost more than the messages. */
const WRITE_CHARS = 64 * 1024;
const FLUSH_EVERY_MS = 1_000;
/** A file that has grown to this is moved to `….1`, in place of the one before. */
const FILE_BYTES = 64 * 1024 * 1024;

const CLOSE_WITHIN_MS = 500;

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
  readonly #fileBytes: number;
  readonly #writeChars: number;
  readonly #out: ReturnType<typeof destination>;
  readonly #who = new WeakMap<RelayClient, string>();
  readonly #flushing: NodeJS.Timeout;
  /** What was not handed on yet, and how many lines it is. */
  #lines = "";
  #count = 0;
  #writtenBytes: number;
  #isClosed = false;

  constructor(options: RelayAuditOptions) {
    this.#options = options;
    this.#fileBytes = options.fileBytes ?? FILE_BYTES;
    this.#writeChars = Math.min(WRITE_CHARS, this.#fileBytes);
    const { file, log, metrics } = options;
    mkdirSync(dirname(file), { recursive: true });
    this.#writtenBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    this.#out = destination({
      dest: file,
      sync: false,
      maxLength: BUFFER_BYTES,
    });
    // It drops what it was just handed, all of it.
    this.#out.on("drop", () => {
      metrics.auditLost += this.#count;
    });
    this.#out.on("error", (err) => log.error({ err }, "the relay's audit cannot be written"));
    this.#flushing = setInterval(() => this.#flush(), FLUSH_EVERY_MS).unref();
  }

  write({ client, direction, data, method, outcome }: AuditLine): void {
    if (this.#isClosed) return;
    const isText = typeof data === "string";
    this.#lines +=
      `{"time":${this.#options.now()},${this.#client(client)},"direction":"${direction}",` +
      `"kind":"${isText ? "text" : "binary"}","method":${method === null ? "null" : JSON.stringify(method.slice(0, METHOD_CHARS))},` +
      `"bytes":${isText ? Buffer.byteLength(data) : data.length},"outcome":"${outcome}"${this.#content(data)}}\n`;
    this.#count++;
    if (this.#lines.length >= this.#writeChars) this.#flush();
  }

  /** Resolves when all is written, or could not be in time. What is said from now on is not written. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#flushing);
    this.#flush();
    const closed = once(this.#out, "close");
    this.#out.end();
    await withinMs(closed, CLOSE_WITHIN_MS, []);
  }

  #flush(): void {
    const lines = this.#lines;
    if (lines === "") return;
    this.#out.write(lines);
    this.#lines = "";
    this.#count = 0;
    this.#writtenBytes += lines.length;
    if (this.#writtenBytes >= this.#fileBytes) this.#rotate();
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

  #rotate(): void {
    this.#writtenBytes = 0;
    const { file, log } = this.#options;
    try {
      renameSync(file, `${file}.1`);
      this.#out.reopen();
    } catch (err) {
      log.error({ err }, "the relay's audit cannot be moved aside");
    }
  }
}
