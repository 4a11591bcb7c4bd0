import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Chromium, chromiumAvailable, startChromium } from "../support/chromium.ts";
import type { Page } from "../support/page.ts";
import { type System, startSystem } from "../support/system.ts";

const BUILD = fileURLToPath(new URL("../../worker/page/build.ts", import.meta.url));

describe.skipIf(!chromiumAvailable())("the page in a real browser", () => {
  let system: System;
  let chromium: Chromium;

  beforeAll(async () => {
    execFileSync(process.execPath, [BUILD]);
    system = await startSystem();
    chromium = await startChromium();
  });

  afterAll(async () => {
    await chromium?.stop();
    await system?.stop();
  });

  const signedIn = async (options: { width?: number; height?: number } = {}): Promise<Page> => {
    const page = await chromium.open(`${system.gateway.url}/#token=${await system.gateway.token()}`, options);
    await page.waitFor("document.querySelector('#connection').textContent === 'Live'");
    return page;
  };

  const start = async (page: Page, text: string): Promise<void> => {
    await page.click("#task-text");
    await page.type(text);
    await page.click("#task-start");
    await page.waitFor(`document.querySelector('#output-title').textContent === ${JSON.stringify(text)}`);
  };

  it("U1 S8 signs in from the address, which then holds no token any more", async () => {
    const page = await signedIn();
    expect(await page.evaluate("location.href")).toBe(`${system.gateway.url}/`);
    expect(await page.evaluate("localStorage.length + document.cookie.length")).toBe(0);
    await page.go(system.gateway.url);
    await page.waitFor("document.querySelector('#connection').textContent === 'Live'");
    expect(page.complaints).toEqual([]);
  });

  it("U1 H1 S1 starts a task, shows its agents at work, its output and its end", async () => {
    const page = await signedIn();
    await start(page, "count primes below 3000000");
    await page.waitFor("document.querySelectorAll('tbody tr').length >= 3");
    await page.waitFor("[...document.querySelectorAll('tbody progress')].some((bar) => bar.value > 0)");
    await page.waitFor("document.querySelector('#output-lines').textContent.includes('216816')", 40_000);
    await page.waitFor("document.querySelector('#output-state').textContent.startsWith('completed')");
    await page.waitFor("document.querySelector('.task-item .state').textContent === 'completed'");
    expect(page.complaints).toEqual([]);
  });

  it("U1 stops a task", async () => {
    const page = await signedIn();
    await start(page, "count primes below 40000000");
    await page.waitFor("document.querySelector('.task-item .state').textContent === 'running'");
    await page.click(".task-item .stop");
    await page.waitFor("document.querySelector('#output-state').textContent.startsWith('stopped')");
  });

  it("U1 shows a text as text, whatever is in it", async () => {
    const page = await signedIn();
    const text = `<img src=x onerror="document.title='owned'">`;
    await start(page, text);
    await page.waitFor("document.querySelector('#output-state').textContent.startsWith('completed')", 40_000);
    expect(await page.evaluate("document.querySelectorAll('main img').length")).toBe(0);
    expect(await page.evaluate("document.title")).toBe("default · Hivegate");
  });

  it("U1 works by keyboard: Enter opens a task's output, Escape closes it and comes back", async () => {
    const page = await signedIn();
    await page.waitFor("document.querySelector('.task-item .open')");
    await page.evaluate("document.querySelector('.task-item .open').focus()");
    await page.press("Enter");
    await page.waitFor("document.activeElement.id === 'output-title'");
    await page.waitFor("document.querySelectorAll('#output-lines div').length > 0");
    await page.press("Escape");
    await page.waitFor("document.querySelector('#output').hidden");
    expect(await page.evaluate("document.activeElement.className")).toBe("open");
  });

  it("U1 fits a phone of 360 px without scrolling sideways", async () => {
    const page = await signedIn({ width: 360, height: 640 });
    await page.waitFor("document.querySelector('.task-item')");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
  });

  it("U1 T8 says why a token is refused", async () => {
    const expired = await system.gateway.token({ expiresMs: Date.now() - 60_000 });
    const page = await chromium.open(`${system.gateway.url}/#token=${expired}`);
    await page.waitFor("document.querySelector('#sign-in-message').textContent.includes('has expired')");
    await page.type("nonsense");
    await page.press("Enter");
    await page.waitFor("document.querySelector('#sign-in-message').textContent.includes('not a token')");
    await page.type(await system.gateway.token({ permissions: ["telemetry:read"] }));
    await page.press("Enter");
    await page.waitFor("document.querySelector('#connection').textContent === 'Live'");
    expect(await page.evaluate("document.querySelector('#task-form').hidden")).toBe(true);
  });

  it("U1 S4 H9 shows that it is not live while the sidecar is away, and reads a task on when it is back", async () => {
    const page = await signedIn();
    await start(page, "count primes below 20000000");
    await page.waitFor("document.querySelectorAll('#output-lines div').length > 1");
    await system.sidecar.kill("SIGKILL");
    await page.waitFor("document.querySelector('#connection').textContent.startsWith('No sidecar')");
    await system.restartSidecar();
    await page.waitFor("document.querySelector('#connection').textContent === 'Live'", 30_000);
    await page.waitFor("document.querySelector('#output-state').textContent.startsWith('completed')", 50_000);
    expect(await page.evaluate("document.querySelector('#output-lines').textContent")).toContain("1270607");
  }, 120_000);
});
