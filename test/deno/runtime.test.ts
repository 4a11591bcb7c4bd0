import { expect, it } from "vitest";

it("U4 what runs anywhere is tested in Deno itself, without a network", async () => {
  expect(navigator.userAgent).toMatch(/^Deno\//);
  await expect(fetch("http://127.0.0.1/")).rejects.toThrow("--allow-net");
});
