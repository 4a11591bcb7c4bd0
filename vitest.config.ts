import { defineConfig } from "vitest/config";

/** Each kind of test is a project; the workerd ones have a configuration of their own. */
const kind = (name: string, options: { timeoutMs: number; parallel: boolean }) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: options.timeoutMs,
    fileParallelism: options.parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      kind("unit", { timeoutMs: 10_000, parallel: true }),
      "test/workerd/vitest.config.ts",
      kind("e2e", { timeoutMs: 60_000, parallel: false }),
      kind("docker", { timeoutMs: 120_000, parallel: false }),
    ],
  },
});
