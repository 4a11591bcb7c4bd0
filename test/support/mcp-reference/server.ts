/** One instance of the reference server: all that the official conformance suite wants of a server, on both eras. */
import { McpServer } from "@modelcontextprotocol/server";
import { registerAskingTools } from "./asking-tools.ts";
import { type Changes, registerChangeTools } from "./change-tools.ts";
import { registerPlainTools } from "./plain-tools.ts";
import { registerPrompts } from "./prompts.ts";
import { registerResources } from "./resources.ts";
import { registerStateTools, stateCodec } from "./state-tools.ts";

/** `changes`: whom the tools tell of changes; without it the clients of this instance. */
export function referenceServer(changes?: Changes): McpServer {
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
  registerChangeTools(server, changes ?? ownChanges(server));
  registerResources(server);
  registerPrompts(server);

  const subscribed = new Set<string>();
  server.server.setRequestHandler("resources/subscribe", ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  server.server.setRequestHandler("completion/complete", ({ params }) => ({
    completion: { values: [`${params.argument.value}-completed`], total: 1, hasMore: false },
  }));
  return server;
}

/** What cannot be said because nobody listens any more is nobody's trouble. */
const unheard = () => {};

/** Tells the clients of this one instance. */
export const ownChanges = ({ server }: McpServer): Changes => ({
  toolsChanged: () => void server.sendToolListChanged().catch(unheard),
  promptsChanged: () => void server.sendPromptListChanged().catch(unheard),
  resourceUpdated: (uri) => void server.sendResourceUpdated({ uri }).catch(unheard),
});
