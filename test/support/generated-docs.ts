/** The documents that are made from the code, and how. */
import { openApi } from "../../worker/openapi/document.ts";

type GeneratedDoc = { file: URL; text(): string | Promise<string> };

const doc = (name: string): URL => new URL(`../../docs/${name}`, import.meta.url);

export const GENERATED: readonly GeneratedDoc[] = [
  { file: doc("openapi.json"), text: () => `${JSON.stringify(openApi(), null, 2)}\n` },
];
