import { NestedTooDeep, parseJson } from "../../../shared/wire/json.ts";
import { isRecord } from "../record.ts";

/** The JSON in a line; undefined where it is none, such as a log that went astray. */
export function parseLine(line: string): unknown {
  try {
    return parseJson(line);
  } catch (error) {
    return error instanceof NestedTooDeep ? bareOf(error.value) : undefined;
  }
}

/** What is left of a message that is nested too deep: whoever waits for it hears that it cannot be read. */
export const bareOf = (message: unknown): unknown =>
  isRecord(message) ? { jsonrpc: message.jsonrpc, id: message.id } : undefined;
