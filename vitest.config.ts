import { defineConfig } from "vitest/config";

/** Each kind of test is a project; they run in this order, the fast ones first. */
type Options = { timeoutMs: number; parallel: boolean; maxWorkers?: string };
const kind = (name: string, order: number, options: Options) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: options.timeoutMs,
    fileParallelism: options.parallel,
    ...(options.maxWorkers && { maxWorkers: options.maxWorkers }),
    sequence: { groupOrder: order },
  },
});

export default defineConfig({
  test: {
    projects: [
      kind("unit", 1, { timeoutMs: 10_000, parallel: true }),
      "test/deno/vitest.config.ts",
      "test/workerd/vitest.config.ts",
      kind("contract", 4, { timeoutMs: 30_000, parallel: false }),
      kind("e2e", 5, { timeoutMs: 60_000, parallel: false }),
      kind("docker", 6, { timeoutMs: 300_000, parallel: false }),
      kind("browser", 7, { timeoutMs: 60_000, parallel: false }),
      // By itself vitest leaves a core free.
      kind("simulation", 8, { timeoutMs: 300_000, parallel: true, maxWorkers: "100%" }),
    ],
  },
});
