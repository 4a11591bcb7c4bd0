import { constants, type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../../../shared/clock.ts";
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

/** Of a file whose system does not answer, as one over a network that is cut off. */
export const NO_ANSWER: ConfigRead = { state: "unreadable", why: "it does not answer" };

/** The same with a limit. As long as one read is stuck none is begun: each holds one of the few threads that there are for files. */
export function withReadLimit(
  read: () => Promise<ConfigRead>,
  clock: Pick<Clock, "after">,
): () => Promise<ConfigRead> {
  let isStuck = false;
  return () => {
    if (isStuck) return Promise.resolve(NO_ANSWER);
    return new Promise((resolve, reject) => {
      const cancel = clock.after(LIMITS.configReadMs, () => {
        isStuck = true;
        resolve(NO_ANSWER);
      });
      const ended = () => {
        cancel();
        isStuck = false;
      };
      read().finally(ended).then(resolve, reject);
    });
  };
}

export const isSameRead = (one: ConfigRead, other: ConfigRead | null): boolean =>
  one.state === "text" && other?.state === "text"
    ? one.text === other.text
    : JSON.stringify(one) === JSON.stringify(other);

async function beginningOf(file: FileHandle, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of file.createReadStream({ autoClose: false, end: mostBytes - 1 }))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

export const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
