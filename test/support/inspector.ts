/** The MCP Inspector's command line, fetched from npm once: a client that others wrote and that people look with. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { fetchedPackage } from "./installed-package.ts";

const NAME = "@modelcontextprotocol/inspector";
const VERSION = "2.12.0";
const WITHIN_MS = 30_000;
const Answer = z.object({ result: z.record(z.string(), z.unknown()) });

export type Look = {
  /** A URL, or a command and its arguments. */
  target: readonly string[];
  /** Such as `["--method", "tools/list"]`. */
  args: readonly string[];
  era: "legacy" | "modern" | "auto";
  token?: string;
};

export type Inspector = (look: Look) => Promise<Record<string, unknown>>;

/** Null, said aloud, where it cannot be fetched. */
export async function inspector(): Promise<Inspector | null> {
  const modules = await fetchedPackage(NAME, VERSION);
  if (modules === null) return null;
  const main = join(modules, NAME, "clients/launcher/build/index.js");
  return async ({ target, args, era, token }) => {
    // It keeps what it was told in its home; a test leaves nothing in anybody's.
    const home = await mkdtemp(join(tmpdir(), "hivegate-inspector-"));
    const header = token === undefined ? [] : ["--header", `Authorization: Bearer ${token}`];
    const transport = target.length === 1 ? ["--transport", "http"] : [];
    const options = [...transport, ...args, ...header, "--protocol-era", era, "--format", "json", "--quiet"];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [main, "--cli", ...target, ...options], {
        env: { PATH: process.env.PATH, HOME: home },
        timeout: WITHIN_MS,
        maxBuffer: 16 * 1024 * 1024,
      });
      return Answer.parse(JSON.parse(stdout)).result;
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  };
}
