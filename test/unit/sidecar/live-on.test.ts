import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const sidecar = resolve(import.meta.dirname, "../../../sidecar");

it("Q2 an error that nobody caught is in the log, and the process goes on", async () => {
  const program = `
    import { liveOn } from ${JSON.stringify(`${sidecar}/live-on.ts`)};
    import { createLogger } from ${JSON.stringify(`${sidecar}/log.ts`)};
    liveOn(createLogger({ level: "error" }));
    void Promise.reject(new Error("nobody minds"));
    setTimeout(() => console.log("it goes on"), 10);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  expect(stdout).toContain("nobody minds");
  expect(stdout.trim()).toMatch(/it goes on$/);
});
