import { defineConfig } from "vitest/config";
import { PLATFORM_FREE } from "../support/platform-free.ts";
import { denoPool } from "./pool.ts";

export default defineConfig({
  test: {
    name: "deno",
    include: ["**/*.test.ts", ...PLATFORM_FREE],
    pool: denoPool,
    testTimeout: 10_000,
    sequence: { groupOrder: 2 },
  },
});
