/** `npm run docs`: writes anew what the documentation takes from the code. `npm test` fails where it is out of date. */
import { writeFileSync } from "node:fs";
import { GENERATED } from "./support/generated-docs.ts";

for (const { file, text } of GENERATED) writeFileSync(file, await text());
