/** The documents that are made from the code, and how. */
import manifest from "../../package.json" with { type: "json" };
import { mcpFileSchema } from "../../sidecar/config/file/json-schema.ts";
import { openApi } from "../../worker/openapi/document.ts";
import { configReference } from "./config-reference.ts";

type GeneratedDoc = { file: URL; text(): string | Promise<string> };

const doc = (name: string): URL => new URL(`../../docs/${name}`, import.meta.url);

export const GENERATED: readonly GeneratedDoc[] = [
  { file: doc("openapi.json"), text: () => `${JSON.stringify(openApi(manifest), null, 2)}\n` },
  { file: doc("config/mcp.schema.json"), text: () => `${JSON.stringify(mcpFileSchema(), null, 2)}\n` },
  { file: doc("config/REFERENCE.md"), text: configReference },
];
