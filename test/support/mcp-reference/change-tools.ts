/** Tools that make the server say something unasked, and tools that wait to be cancelled. */
import { setTimeout as delay } from "node:timers/promises";
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { says } from "./content.ts";
import { WATCHED_URI } from "./resources.ts";

const NOTHING = z.object({});
const PAUSE_MS = 50;

/** Whom to tell that something changed: with HTTP it is not the instance that serves the call. */
export type Changes = {
  toolsChanged(): void;
  promptsChanged(): void;
  resourceUpdated(uri: string): void;
};

/** Of this process, over all its instances. */
let cancelled = 0;

export function registerChangeTools(server: McpServer, changes: Changes): void {
  const triggers = {
    test_trigger_tool_change: () => changes.toolsChanged(),
    test_trigger_prompt_change: () => changes.promptsChanged(),
    test_trigger_resource_update: () => changes.resourceUpdated(WATCHED_URI),
  };
  for (const [name, trigger] of Object.entries(triggers))
    server.registerTool(name, { description: "Says that something changed", inputSchema: NOTHING }, () => {
      trigger();
      return says("Said so");
    });

  server.registerTool(
    "test_wait",
    { description: "Says that it waits, again and again, until it is cancelled", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (let progress = 0; !mcpReq.signal.aborted; progress++) {
        if (progressToken !== undefined)
          await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress } });
        await delay(PAUSE_MS);
      }
      cancelled++;
      return says("Cancelled");
    },
  );
  server.registerTool(
    "test_cancelled_count",
    { description: "How many calls were cancelled so far", inputSchema: NOTHING },
    () => says(String(cancelled)),
  );
  server.registerTool("test_process_id", { description: "Which process this is", inputSchema: NOTHING }, () =>
    says(String(process.pid)),
  );
}
