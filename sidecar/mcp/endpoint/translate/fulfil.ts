/** A client of 2025 at a server of 2026 that wants more before it answers: the client is asked, the server asked again. */
import { HivegateError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import { isRecord } from "../../record.ts";
import { neededFor, offers } from "../capabilities.ts";
import { rpcErrorOf } from "../refused.ts";

export type FulfilPorts = {
  /** Asks the server. */
  exchange(request: McpRequest): Promise<McpAnswer>;
  /** Asks the client. */
  ask(request: McpRequest): Promise<McpAnswer>;
  capabilities: Record<string, unknown>;
};

/** The server's answer once it has all that it wants; an error of the client's ends the call. */
export async function fulfilled(request: McpRequest, ports: FulfilPorts): Promise<McpAnswer> {
  let answer = await ports.exchange(request);
  for (let round = 1; ; round++) {
    if ("error" in answer || answer.result.resultType !== "input_required") return answer;
    if (round > LIMITS.mcpInputRounds) return failed("The server asked too often for more.");
    const { inputRequests, requestState } = answer.result;
    const responses = await responsesTo(isRecord(inputRequests) ? inputRequests : {}, ports);
    if ("error" in responses) return responses;
    answer = await ports.exchange({
      method: request.method,
      params: {
        ...request.params,
        inputResponses: responses.result,
        ...(requestState !== undefined && { requestState }),
      },
    });
  }
}

async function responsesTo(
  inputRequests: Record<string, unknown>,
  { ask, capabilities }: FulfilPorts,
): Promise<McpAnswer> {
  const wanted = Object.entries(inputRequests).map(([key, asked]) => [key, requestOf(asked)] as const);
  if (!wanted.every(([, request]) => request && offers(capabilities, neededFor(request))))
    return failed("The server asks for something that this client does not offer.");
  const answers = await Promise.all(
    wanted.map(async ([key, request]) => [key, request && (await ask(request))] as const),
  );
  const result: Record<string, unknown> = {};
  for (const [key, answer] of answers) {
    if (!answer) continue;
    if ("error" in answer) return answer;
    result[key] = answer.result;
  }
  return { result };
}

function requestOf(asked: unknown): McpRequest | null {
  if (!isRecord(asked) || typeof asked.method !== "string") return null;
  return { method: asked.method, params: isRecord(asked.params) ? asked.params : {} };
}

const failed = (message: string): McpAnswer => ({
  error: rpcErrorOf(new HivegateError("mcp_failed", message)),
});
