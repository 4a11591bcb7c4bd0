/**
 * Arguments that a tool wants to see in headers too, for what is between us and the server. A server of 2026 refuses a
 * call without them.
 */
import { type Mirrored, mirroredIn, mirroredText } from "../mirrored-arguments.ts";
import { isRecord } from "../record.ts";

/** What needs no encoding: visible ASCII, and spaces and tabs that are not at an end. */
const PLAIN = /^[!-~]([\t -~]*[!-~])?$/;
const ENCODED = /^=\?base64\?.*\?=$/;

export class ParamHeaders {
  /** By the tools' names: of the tools that want none nothing is remembered. */
  readonly #mirrored = new Map<string, Mirrored[]>();

  /** Reads the answers to `tools/list`. */
  learn(message: unknown): void {
    const result = isRecord(message) && isRecord(message.result) ? message.result : {};
    if (!Array.isArray(result.tools)) return;
    for (const tool of result.tools) {
      if (!isRecord(tool) || typeof tool.name !== "string") continue;
      const mirrored = mirroredIn(tool.inputSchema);
      if (mirrored.length > 0) this.#mirrored.set(tool.name, mirrored);
      else this.#mirrored.delete(tool.name);
    }
  }

  /** `params` of a `tools/call`. */
  headersFor({ name, arguments: args }: Record<string, unknown>): Record<string, string> {
    const mirrored = typeof name === "string" ? this.#mirrored.get(name) : undefined;
    const headers: Record<string, string> = {};
    for (const one of mirrored ?? []) {
      const text = mirroredText(args, one);
      if (text !== null) headers[one.header] = encoded(text);
    }
    return headers;
  }
}

const encoded = (value: string): string =>
  PLAIN.test(value) && !ENCODED.test(value) ? value : `=?base64?${Buffer.from(value).toString("base64")}?=`;
