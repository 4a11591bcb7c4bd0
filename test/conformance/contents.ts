/**
 * What the suite does not look at: it takes a missing tool for a working one, and a changed text for the right one. So the
 * official client asks for everything, and what it gets must be word for word what it gets without the gateway.
 */
import { isDeepStrictEqual } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Revision } from "./suite.ts";

/** What was answered, by what was asked. */
export type Contents = ReadonlyMap<string, unknown>;

const TOOLS = [
  "test_simple_text",
  "test_image_content",
  "test_audio_content",
  "test_embedded_resource",
  "test_multiple_content_types",
  "test_error_handling",
  "no_such_tool",
];
const RESOURCES = ["test://static-text", "test://static-binary", "test://template/7/data", "test://none"];
const PROMPTS = ["test_simple_prompt", "test_prompt_with_image", "no_such_prompt"];

export async function readContents(url: string, revision: Revision): Promise<Contents> {
  const mode = revision === "2026-07-28" ? { pin: revision } : ("legacy" as const);
  const client = new Client({ name: "hivegate-test", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const contents = new Map<string, unknown>();
  // An error is an answer too: its code and words have to come through.
  const read = async (what: string, answer: () => Promise<unknown>) =>
    contents.set(what, await answer().catch((error: unknown) => ({ error: describe(error) })));
  await read("instructions", async () => client.getInstructions());
  await read("capabilities", async () => client.getServerCapabilities());
  await read("revision", async () => client.getNegotiatedProtocolVersion());
  await read("tools/list", () => client.listTools());
  await read("prompts/list", () => client.listPrompts());
  await read("resources/list", () => client.listResources());
  await read("resources/templates/list", () => client.listResourceTemplates());
  for (const name of TOOLS) await read(`tools/call ${name}`, () => client.callTool({ name }));
  for (const uri of RESOURCES) await read(`resources/read ${uri}`, () => client.readResource({ uri }));
  for (const name of PROMPTS) await read(`prompts/get ${name}`, () => client.getPrompt({ name }));
  await client.close();
  return contents;
}

const describe = (error: unknown) =>
  error instanceof Error
    ? { message: error.message, code: "code" in error ? error.code : null }
    : String(error);

export type Difference = { what: string; alone: unknown; behind: unknown };

export const differences = (alone: Contents, behind: Contents, revision: Revision): Difference[] =>
  [...alone].flatMap(([what, before]) => {
    const after = behind.get(what);
    const same = isDeepStrictEqual(toldTo(revision, before), toldTo(revision, after));
    return same ? [] : [{ what, alone: before, behind: after }];
  });

/**
 * A server of 2026 says more than one of 2025, and the gateway leaves it in: who it is, and how long its answer holds. A client
 * of 2025 does not look at it.
 */
function toldTo(revision: Revision, answer: unknown): unknown {
  if (revision !== "2025-11-25" || typeof answer !== "object" || answer === null) return answer;
  const later = ["_meta", "ttlMs", "cacheScope"];
  return Object.fromEntries(Object.entries(answer).filter(([name]) => !later.includes(name)));
}
