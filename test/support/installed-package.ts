/** Packages that few tests need, installed from npm once, outside the clone. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const NPM_OPTIONS = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];

/**
 * The `node_modules` with this package in them. The version is part of their place: another one is another folder.
 * @throws when npm cannot bring it
 */
export async function installedPackage(name: string, version: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "hivegate");
  const home = join(cache, `${name.replace("/", "+")}-${version}`);
  const modules = join(home, "node_modules");
  if (existsSync(join(modules, name))) return modules;
  // Beside its place and then moved: an installation that breaks off is never taken for whole.
  const half = `${home}.${process.pid}`;
  await rm(home, { recursive: true, force: true });
  await mkdir(half, { recursive: true });
  const args = ["install", "--prefix", half, `${name}@${version}`, ...NPM_OPTIONS];
  await run("npm", args, { maxBuffer: 16 * 1024 * 1024 });
  await rename(half, home);
  return modules;
}

/**
 * The same, or null where npm cannot bring it. Where it has to (CI=true) that is an error: a skipped test proves nothing.
 * Elsewhere the skip is said aloud.
 */
export async function fetchedPackage(name: string, version: string): Promise<string | null> {
  try {
    return await installedPackage(name, version);
  } catch (cause) {
    if (process.env.CI === "true") throw new Error(`npm cannot bring ${name}@${version}`, { cause });
    console.warn(`SKIPPED: npm cannot bring ${name}@${version}, so what needs it is not tested.`);
    return null;
  }
}
