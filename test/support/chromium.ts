/** A real, headless Chromium, driven over its DevTools protocol. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DevTools } from "./dev-tools.ts";
import { Page } from "./page.ts";

/** Read from a cold disk it takes its time. */
const START_WITHIN_MS = 45_000;
const PLACES = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** CHROMIUM_PATH names one that is somewhere else. */
const chromiumPath: string | null = PLACES.find((path) => path !== undefined && existsSync(path)) ?? null;

/**
 * Whether there is one. Where there has to be (HIVEGATE_REQUIRE_CHROMIUM=1) its absence is an error: a skipped
 * test proves nothing. Elsewhere the skip is said aloud.
 */
export function chromiumAvailable(): boolean {
  if (chromiumPath !== null) return true;
  if (process.env.HIVEGATE_REQUIRE_CHROMIUM === "1") {
    throw new Error("there is no Chromium, and here the page's tests may not be skipped");
  }
  console.warn("SKIPPED: there is no Chromium, so the page is not tested. Set CHROMIUM_PATH.");
  return false;
}

export type PageOptions = { width?: number; height?: number; dark?: boolean };

export type Chromium = {
  /** A page with storage of its own. */
  open(url: string, options?: PageOptions): Promise<Page>;
  stop(): Promise<void>;
};

export async function startChromium(): Promise<Chromium> {
  if (chromiumPath === null) throw new Error("there is no Chromium here: set CHROMIUM_PATH");
  const dir = await mkdtemp(join(tmpdir(), "hivegate-chromium-"));
  const child = spawn(chromiumPath, flags(dir), { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const address = await listening(child).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const devTools = await DevTools.connect(address);
  return {
    open: (url, options = {}) => openPage(devTools, url, options),
    async stop() {
      devTools.close();
      child.kill();
      await exited;
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

const flags = (dir: string): string[] => [
  "--headless",
  "--remote-debugging-port=0",
  `--user-data-dir=${dir}`,
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Its sandbox refuses to work for root, who runs the tests in containers.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** The DevTools address that it prints when it is ready. */
function listening({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("Chromium did not start in time")), START_WITHIN_MS);
    if (stderr === null) return;
    createInterface({ input: stderr })
      .on("line", (line) => {
        const address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
        if (address === undefined) return;
        clearTimeout(limit);
        resolve(address);
      })
      .on("close", () => {
        clearTimeout(limit);
        reject(new Error("Chromium ended before it listened"));
      });
  });
}

async function openPage(devTools: DevTools, url: string, options: PageOptions): Promise<Page> {
  const { browserContextId } = await devTools.call("Target.createBrowserContext");
  const { targetId } = await devTools.call("Target.createTarget", { url: "about:blank", browserContextId });
  const { sessionId } = await devTools.call("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page(devTools, String(sessionId));
  await page.prepare({ width: 1280, height: 800, dark: false, ...options });
  await page.go(url);
  return page;
}
