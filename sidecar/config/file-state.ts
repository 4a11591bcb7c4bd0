/** What is known of the file of MCP servers: what was read, and whether that is in force. */
import type { ConfigProblem, ConfigStatus } from "../../shared/protocol/config.ts";
import type { ConfigRead } from "./file/read.ts";

export class FileState {
  readonly name: string;
  /** What was decided on last, to be in force or to be refused; null: nothing yet. */
  #text: string | null = null;
  /** What the watcher told last. */
  #told: ConfigRead | null = null;
  #isRefused = false;
  #readAtMs: number | null;
  #warnings: ConfigProblem[] = [];

  /** `readAtMs`: when a file was taken over last, before this start. */
  constructor(name: string, readAtMs: number | null) {
    this.name = name;
    this.#readAtMs = readAtMs;
  }

  get status(): NonNullable<ConfigStatus["file"]> {
    const isAway = this.#told?.state === "missing";
    const isRefused = this.#isRefused || this.#told?.state === "unreadable";
    const state = isAway ? "missing" : isRefused ? "refused" : "watched";
    return { name: this.name, state, read_at: this.#readAtMs, warnings: this.#warnings };
  }

  told(read: ConfigRead): void {
    this.#told = read;
  }

  /** Whether it was taken over since the start, and not refused since. */
  get isTaken(): boolean {
    return this.#text !== null && !this.#isRefused;
  }

  isDecided(text: string): boolean {
    return this.#text === text;
  }

  isInForce(text: string): boolean {
    return this.#text === text && !this.#isRefused;
  }

  /**
   * What was decided on is not what the watcher told last: the file was read between two of its looks, or what it told could not
   * be stored.
   */
  get isAhead(): boolean {
    return this.#told?.state === "text" && this.#told.text !== this.#text;
  }

  taken(text: string, warnings: ConfigProblem[], nowMs: number): void {
    this.#text = text;
    this.#isRefused = false;
    this.#warnings = warnings;
    this.#readAtMs = nowMs;
  }

  refused(text: string): void {
    this.#text = text;
    this.#isRefused = true;
  }
}
