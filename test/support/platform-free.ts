/**
 * Tests of code that runs anywhere, and so in Node, workerd and Deno alike, as seen from the folder of any kind
 * of test. The page's own test reads how the page is built, which only Node does.
 */
export const PLATFORM_FREE = ["../unit/shared/**/*.test.ts", "../unit/client/!(page).test.ts"];
