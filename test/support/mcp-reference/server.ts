/** One instance of the reference server: all that the official conformance suite wants of a server, on both eras. */
import { type McpRequestContext, McpServer } from "@modelcontextprotocol/server";
import { registerAskingTools } from "./asking-tools.ts";
import { type Changes, registerChangeTools } from "./change-tools.ts";
import { registerPlainTools } from "./plain-tools.ts";
import { registerPrompts } from "./prompts.ts";
import { registerResources } from "./resources.ts";
import { registerStateTools, stateCodec } from "./state-tools.ts";

type Options = { era: McpRequestContext["era"]; changes?: Changes };

/** `changes`: whom the tools tell of changes; without it the clients of this instance, which `own` does. */
export function referenceServer({ era, changes }: Options): { server: McpServer; own: Changes } {
  const server = new McpServer(
    { name: "hivegate-reference", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      instructions: "Call whatever you like.",
      requestState: { verify: stateCodec.verify },
      cacheHints: { "tools/list": { ttlMs: 1_000, cacheScope: "private" } },
    },
  );
  registerPlainTools(server);
  registerAskingTools(server);
  registerStateTools(server);
  const own = ownChanges(server, era);
  registerChangeTools(server, changes ?? own);
  registerResources(server);
  registerPrompts(server);

  server.server.setRequestHandler("completion/complete", ({ params }) => ({
    completion: { values: [`${params.argument.value}-completed`], total: 1, hasMore: false },
  }));
  return { server, own };
}

/** What cannot be said because nobody listens any more is nobody's trouble. */
const unheard = () => {};

/** Tells the clients of this one instance. Those of 2025 have to have subscribed to a resource; for others the SDK sees to that. */
function ownChanges({ server }: McpServer, era: Options["era"]): Changes {
  const subscribed = new Set<string>();
  server.setRequestHandler("resources/subscribe", ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  return {
    toolsChanged: () => void server.sendToolListChanged().catch(unheard),
    promptsChanged: () => void server.sendPromptListChanged().catch(unheard),
    resourceUpdated: (uri) => {
      if (era === "modern" || subscribed.has(uri)) void server.sendResourceUpdated({ uri }).catch(unheard);
    },
  };
}
