import { constants, type FileHandle, open } from "node:fs/promises";
import { LIMITS } from "../../../shared/limits.ts";

/** What is at a path. `why`: the system's code, or that it is no file. */
export type ConfigRead =
  | { state: "text"; text: string }
  | { state: "missing" }
  | { state: "unreadable"; why: string };

/** Never throws. Of a file that is too long there is enough in the text to see that. */
export async function readConfigFile(path: string): Promise<ConfigRead> {
  let file: FileHandle | null = null;
  try {
    // Something that is no file, as a pipe, may else be waited for without an end.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) return { state: "unreadable", why: "it is not a file" };
    return { state: "text", text: await beginningOf(file, LIMITS.configFileBytes + 1) };
  } catch (thrown) {
    const code = codeOf(thrown);
    return code === "ENOENT" || code === "ENOTDIR"
      ? { state: "missing" }
      : { state: "unreadable", why: code };
  } finally {
    await file?.close();
  }
}

async function beginningOf(file: FileHandle, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of file.createReadStream({ autoClose: false, end: mostBytes - 1 }))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

export const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
