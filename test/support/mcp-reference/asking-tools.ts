/**
 * Tools that ask the client something back. They are written once: with 2026-07-28 they answer `input_required`, and
 * for a client of 2025 the SDK asks the same by requests of the server's own and calls the tool again.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequests,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { says } from "./content.ts";
import { DEFAULTS_FORM, ENUMS_FORM, NAME_FORM, RESPONSE_FORM } from "./forms.ts";

const NOTHING = z.object({});
const Envelope = z.object({
  [CLIENT_CAPABILITIES_META_KEY]: z
    .object({ elicitation: z.unknown(), sampling: z.unknown(), roots: z.unknown() })
    .partial()
    .default({}),
});
const Named = z.object({ name: z.string() });

type Form = typeof NAME_FORM | typeof RESPONSE_FORM | typeof DEFAULTS_FORM | typeof ENUMS_FORM;
const elicit = (message: string, requestedSchema: Form) => inputRequired.elicit({ message, requestedSchema });
const sample = (prompt: string) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens: 100,
  });
const asks = (inputRequests: InputRequests) => inputRequired({ inputRequests });

/** What a model answered, as text; null until it has. */
function sampled({ mcpReq }: ServerContext, key: string): string | null {
  const answer = inputResponse(mcpReq.inputResponses, key);
  if (answer.kind !== "sampling") return null;
  const content = [answer.result.content].flat()[0];
  return content?.type === "text" ? content.text : `(${content?.type ?? "nothing"})`;
}

export function registerAskingTools(server: McpServer): void {
  registerElicitation(server);
  registerSampling(server);
  server.registerTool(
    "test_input_required_result_list_roots",
    { description: "Asks for the client's roots", inputSchema: NOTHING },
    (_, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, "client_roots");
      if (answer.kind !== "roots") return asks({ client_roots: inputRequired.listRoots() });
      return says(`Roots: ${answer.roots.map(({ uri }) => uri).join(", ")}`);
    },
  );
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Asks for all that the client says it can be asked", inputSchema: NOTHING },
    (_, { mcpReq }) => {
      if (mcpReq.inputResponses !== undefined) return says("All was answered");
      const { [CLIENT_CAPABILITIES_META_KEY]: declared } = Envelope.parse(mcpReq.envelope ?? {});
      const requests: InputRequests = {
        ...(declared.elicitation !== undefined && { user_name: elicit("What is your name?", NAME_FORM) }),
        ...(declared.sampling !== undefined && { greeting: sample("Generate a greeting") }),
        ...(declared.roots !== undefined && { client_roots: inputRequired.listRoots() }),
      };
      return Object.keys(requests).length > 0 ? asks(requests) : says("Nothing can be asked of this client");
    },
  );
}

function registerElicitation(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_elicitation",
    { description: "Asks for a name until it is told one", inputSchema: NOTHING },
    (_, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_name", Named);
      if (!answer) return asks({ user_name: elicit("What is your name?", NAME_FORM) });
      return says(`Hello, ${answer.name}!`);
    },
  );
  const once = (name: string, description: string, message: string, form: Form) =>
    server.registerTool(name, { description, inputSchema: NOTHING }, (_, ctx) =>
      elicitedOnce(ctx, message, form),
    );
  once("test_elicitation_sep1034_defaults", "Asks with defaults", "Are these right?", DEFAULTS_FORM);
  once("test_elicitation_sep1330_enums", "Asks for choices", "Which of these?", ENUMS_FORM);
  server.registerTool(
    "test_elicitation",
    { description: "Asks the user what it is given", inputSchema: z.object({ message: z.string() }) },
    ({ message }, ctx) => elicitedOnce(ctx, message, RESPONSE_FORM),
  );
}

/** Says what the user did, be it a refusal. */
function elicitedOnce({ mcpReq }: ServerContext, message: string, form: Form) {
  const answer = inputResponse(mcpReq.inputResponses, "form");
  if (answer.kind !== "elicit") return asks({ form: elicit(message, form) });
  return says(`action=${answer.action} content=${JSON.stringify(answer.content ?? {})}`);
}

function registerSampling(server: McpServer): void {
  const once = (name: string, key: string, prompt: string) =>
    server.registerTool(name, { description: "Asks the model", inputSchema: NOTHING }, (_, ctx) => {
      const answer = sampled(ctx, key);
      return answer === null ? asks({ [key]: sample(prompt) }) : says(`Model: ${answer}`);
    });
  once("test_input_required_result_sampling", "capital_question", "What is the capital of France?");
  // For a client that says it has no model: it must be refused, whatever the tool does.
  once("test_missing_capability", "answer", "Reply with: pong");
  server.registerTool(
    "test_sampling",
    { description: "Asks the model what it is given", inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, ctx) => {
      const answer = sampled(ctx, "answer");
      return answer === null ? asks({ answer: sample(prompt) }) : says(`Model: ${answer}`);
    },
  );
}
