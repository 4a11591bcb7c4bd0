/** Reads the file that describes a swarm's CLI. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { CustomProfile } from "./custom-schema.ts";

const FILE_BYTES = 64 * 1024;

/** @throws Error with one line: the file, where in it, and what is expected there */
export function readCustomProfile(path: string): CustomProfile {
  const parsed = CustomProfile.safeParse(readJson(path));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error.issues);
  throw new Error(`${path}: ${field === "" ? "" : `${field}: `}${message}`);
}

function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (thrown) {
    // V8 says where, but not for every mistake; what it quotes of the text may be several lines.
    const said = thrown instanceof Error ? thrown.message : "";
    const where = /\(line \d+ column \d+\)/.exec(said)?.[0] ?? /^[^,"\n]{1,60}/.exec(said)?.[0] ?? "";
    throw new Error(`${path}: not JSON ${where}`.trimEnd());
  }
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : "unknown";
    throw new Error(`${path}: cannot be read (${code})`);
  }
  if (bytes.length > FILE_BYTES) throw new Error(`${path}: longer than ${FILE_BYTES} bytes`);
  return bytes.toString("utf8");
}

type Issue = z.core.$ZodIssue;

/** Of the ways in which something may be written, the one that was followed furthest is meant. */
function firstIssue(issues: readonly Issue[]): { field: string; message: string } {
  const [issue] = issues;
  if (!issue) return { field: "", message: "not a profile" };
  const field = issue.path.join(".");
  if (issue.code !== "invalid_union") return { field, message: issue.message };
  const branches = issue.errors.flatMap(([first]) => (first ? [first] : []));
  const furthest = branches.reduce<Issue | null>(
    (best, next) => (best && best.path.length >= next.path.length ? best : next),
    null,
  );
  if (!furthest) return { field, message: issue.message };
  const inner = firstIssue([furthest]);
  return { field: [field, inner.field].filter((part) => part !== "").join("."), message: inner.message };
}
