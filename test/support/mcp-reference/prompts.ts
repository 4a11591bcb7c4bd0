/** The prompts that the suite wants. */
import {
  acceptedContent,
  type GetPromptResult,
  inputRequired,
  type McpServer,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { embedded, image, text } from "./content.ts";

type Content = GetPromptResult["messages"][number]["content"];
const user = (...contents: Content[]): GetPromptResult => ({
  messages: contents.map((content) => ({ role: "user", content })),
});

const CONTEXT_FORM = {
  type: "object" as const,
  properties: { context: { type: "string" as const } },
  required: ["context"],
};

export function registerPrompts(server: McpServer): void {
  server.registerPrompt("test_simple_prompt", { description: "Takes nothing" }, () =>
    user(text("This is a simple prompt for testing.")),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Takes two arguments", argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    ({ arg1, arg2 }) => user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Embeds a resource", argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) =>
      user(embedded(resourceUri, "text/plain", "The embedded text."), text("Read the resource above.")),
  );
  server.registerPrompt("test_prompt_with_image", { description: "Holds an image" }, () =>
    user(image, text("Look at the image above.")),
  );
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Asks for what it is about" },
    ({ mcpReq }) => {
      const told = acceptedContent(mcpReq.inputResponses, "user_context", z.object({ context: z.string() }));
      if (told) return user(text(`About: ${told.context}`));
      const message = "What is it about?";
      return inputRequired({
        inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema: CONTEXT_FORM }) },
      });
    },
  );
}
