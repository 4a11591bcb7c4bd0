/** Tools that remember by the state that goes to the client and comes back with its answers: sealed, so it is ours. */
import { randomBytes } from "node:crypto";
import {
  acceptedContent,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpServer,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { says } from "./content.ts";
import { CONFIRM_FORM, NAME_FORM } from "./forms.ts";

const State = z.object({ round: z.number(), name: z.string().optional() });
type State = z.infer<typeof State>;

/** For all instances of this process: each request with 2026-07-28 is another one's. */
export const stateCodec = createRequestStateCodec<State>({ key: randomBytes(32) });

const NOTHING = z.object({});
const Named = z.object({ name: z.string() });
const confirm = () => inputRequired.elicit({ message: "Is it right?", requestedSchema: CONFIRM_FORM });
const askName = (message: string) => inputRequired.elicit({ message, requestedSchema: NAME_FORM });

export function registerStateTools(server: McpServer): void {
  for (const name of [
    "test_input_required_result_request_state",
    "test_input_required_result_tampered_state",
  ])
    server.registerTool(
      name,
      { description: "Asks to be confirmed, with a state", inputSchema: NOTHING },
      async (_, { mcpReq }) => {
        const confirmed = acceptedContent(mcpReq.inputResponses, "confirm");
        if (confirmed && mcpReq.requestState() !== undefined)
          return says("state-ok: the state came back whole");
        return inputRequired({
          inputRequests: { confirm: confirm() },
          requestState: await stateCodec.mint({ round: 1 }),
        });
      },
    );
  registerMultipleInputs(server);
  registerRounds(server);
}

function registerMultipleInputs(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_multiple_inputs",
    { description: "Asks three things at once", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      const named = acceptedContent(mcpReq.inputResponses, "user_name", Named);
      const greeting = inputResponse(mcpReq.inputResponses, "greeting");
      const roots = inputResponse(mcpReq.inputResponses, "client_roots");
      if (named && greeting.kind === "sampling" && roots.kind === "roots")
        return says(`${named.name} has ${roots.roots.length} roots and a greeting`);
      const messages = [{ role: "user" as const, content: { type: "text" as const, text: "Greet" } }];
      return inputRequired({
        inputRequests: {
          user_name: askName("What is your name?"),
          greeting: inputRequired.createMessage({ messages, maxTokens: 50 }),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await stateCodec.mint({ round: 1 }),
      });
    },
  );
}

function registerRounds(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_multi_round",
    { description: "Asks twice, and remembers", inputSchema: NOTHING },
    async (_, { mcpReq }) => {
      const { round, name } = mcpReq.requestState<State>() ?? { round: 0 };
      const told = acceptedContent(mcpReq.inputResponses, `step${round}`, Named)?.name;
      if (round === 2) return says(`${name ?? "Nobody"}, then ${told ?? "nobody"}`);
      const next = round + 1;
      return inputRequired({
        inputRequests: { [`step${next}`]: askName(`Step ${next}: a name?`) },
        requestState: await stateCodec.mint({ round: next, ...(told !== undefined && { name: told }) }),
      });
    },
  );
}
