/** Tests of code that runs anywhere, and so in Node, workerd and Deno alike, as seen from the folder of any kind of test. */
export const PLATFORM_FREE = [
  "../unit/shared/**/*.test.ts",
  "../unit/client/**/*.test.ts",
  "../unit/worker/sidecar-client.test.ts",
];
