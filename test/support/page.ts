import { z } from "zod";
import type { DevTools } from "./dev-tools.ts";

const Evaluated = z.object({
  result: z.object({ value: z.unknown().optional() }),
  exceptionDetails: z
    .object({ text: z.string(), exception: z.object({ description: z.string().optional() }).optional() })
    .optional(),
});

/** A page in a real browser, for tests: what a person at it sees and does. */
export class Page {
  /** What went wrong in the page by itself: thrown errors, refused resources, `console.error`. */
  readonly complaints: string[] = [];
  readonly #devTools: DevTools;
  readonly #sessionId: string;

  constructor(devTools: DevTools, sessionId: string) {
    this.#devTools = devTools;
    this.#sessionId = sessionId;
    devTools.onEvent((event) => {
      if (event.sessionId !== sessionId) return;
      if (event.method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(event.params));
      if (event.method === "Log.entryAdded" && Object(event.params.entry).level === "error")
        this.complaints.push(JSON.stringify(event.params));
    });
  }

  async prepare(screen: { width: number; height: number; dark: boolean }): Promise<void> {
    for (const domain of ["Page", "Runtime", "Log"]) await this.#call(`${domain}.enable`);
    const { width, height } = screen;
    await this.#call("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: false },
    });
    await this.#call("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: screen.dark ? "dark" : "light" }],
    });
  }

  async go(url: string): Promise<void> {
    await this.#call("Page.navigate", { url });
    await this.waitFor("document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** The value of an expression in the page, awaited. Has to be JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const evaluated = Evaluated.parse(
      await this.#call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }),
    );
    const thrown = evaluated.exceptionDetails;
    if (thrown) throw new Error(thrown.exception?.description ?? thrown.text);
    return evaluated.result.value;
  }

  /** Waits until the expression is truthy, and answers with its value. */
  async waitFor(expression: string, withinMs = 15_000): Promise<unknown> {
    const deadlineMs = Date.now() + withinMs;
    while (Date.now() < deadlineMs) {
      const value = await this.evaluate(
        `new Promise((done) => { const stop = Date.now() + 500; const look = () => {
          const value = (${expression}); value || Date.now() > stop ? done(value) : setTimeout(look, 20);
        }; look(); })`,
      );
      if (value) return value;
    }
    throw new Error(`after ${withinMs} ms still not: ${expression}\nThe page shows:\n${await this.text()}`);
  }

  async text(): Promise<string> {
    return String(await this.evaluate("document.body.innerText"));
  }

  /** Clicks in the middle of the element, as a person would. */
  async click(selector: string): Promise<void> {
    const place = await this.evaluate(
      `(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.scrollIntoView({block: "nearest"});
        const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`,
    );
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.#call("Input.dispatchMouseEvent", { type, button: "left", clickCount: 1, ...Object(place) });
    }
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#call("Input.insertText", { text });
  }

  /** Presses a key that writes nothing, such as Tab, Enter or Escape. */
  async press(key: string): Promise<void> {
    const text = key === "Enter" ? "\r" : undefined;
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13, Escape: 27 }[key];
    for (const type of ["keyDown", "keyUp"]) {
      await this.#call("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode, text });
    }
  }

  /** PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#call("Page.captureScreenshot", { format: "png" });
    return Buffer.from(String(data), "base64");
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#devTools.call(method, params, this.#sessionId);
  }
}
