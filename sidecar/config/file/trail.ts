import { lstat, readlink, stat } from "node:fs/promises";
import { dirname, join, parse, resolve, sep } from "node:path";

/** As Linux follows at most. */
const MOST_LINKS = 40;

export type Trail = { names: string[]; folders: Folder[] };
/** `is`: which folder of this name it is. */
type Folder = { path: string; is: string };

/**
 * The names on the way to a file that decide what is there: each symbolic link, the file itself, or the first one that
 * is missing; and the folder it is in, which may be replaced. `folders` are what they are in: none of those is a link.
 */
export async function trailOf(path: string): Promise<Trail> {
  const names = await namesTo(path);
  const paths = new Set(names.map((name) => dirname(name)));
  return { names, folders: await Promise.all(Array.from(paths, folderAt)) };
}

async function folderAt(path: string): Promise<Folder> {
  const found = await stat(path).catch(() => null);
  return { path, is: found === null ? "" : `${found.dev} ${found.ino}` };
}

async function namesTo(path: string): Promise<string[]> {
  const trail: string[] = [];
  let links = 0;
  let [at, rest] = split(path);
  for (;;) {
    const [step, ...others] = rest;
    if (step === undefined) return [...trail, dirname(at), at];
    const next = join(at, step);
    const link = await linkOf(next);
    if (link === "missing" || (typeof link === "object" && ++links > MOST_LINKS)) return [...trail, at, next];
    if (link === "none") {
      [at, rest] = [next, others];
      continue;
    }
    trail.push(next);
    const [root, inner] = split(resolve(at, link.to));
    [at, rest] = [root, [...inner, ...others]];
  }
}

function split(path: string): [root: string, steps: string[]] {
  const whole = resolve(path);
  const { root } = parse(whole);
  return [root, whole.slice(root.length).split(sep).filter(Boolean)];
}

async function linkOf(path: string): Promise<{ to: string } | "none" | "missing"> {
  try {
    return (await lstat(path)).isSymbolicLink() ? { to: await readlink(path) } : "none";
  } catch {
    // Or in a folder that may not be searched: of that one it is seen when it may be.
    return "missing";
  }
}
