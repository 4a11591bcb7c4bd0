/**
 * Tools of the gateway's own, which `/mcp` shows beside those of all servers: as if they were of a server of the name
 * `hivegate`, which no other one may have. Which of them a client sees goes by what they do, not by `tools:call`.
 */
import { type Identity, may } from "../../shared/auth/permission.ts";
import { asHivegateError, isOurFault } from "../../shared/errors.ts";
import { qualifiedName, splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import { GATEWAY_SERVER } from "../../shared/protocol/tools.ts";
import type { Access } from "./access.ts";
import type { GatewayTool, GatewayToolCaller, GatewayToolPorts, ListedTool } from "./gateway-tool.ts";
import { GATEWAY_TOOLS } from "./gateway-tool-table.ts";
import { REVISION } from "./mcp-headers.ts";
import { unknownTool } from "./policy.ts";

export type CallToolResult = {
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: true;
  /** In answers from 2026-07-28 on. */
  resultType?: "complete";
};

export type GatewayToolsPorts = GatewayToolPorts & { log(message: string, error: unknown): void };

export class GatewayTools {
  readonly #ports: GatewayToolsPorts;

  constructor(ports: GatewayToolsPorts) {
    this.#ports = ports;
  }

  /** Those that this client may use, in either era's words. */
  list(identity: Pick<Identity, "permissions">, access: Access): ListedTool[] {
    return Object.entries(GATEWAY_TOOLS)
      .filter(([name, tool]) => isFor(identity, tool) && access.tool(GATEWAY_SERVER, name))
      .map(([name, { listed }]) => ({ name: qualifiedName(GATEWAY_SERVER, name), ...listed }));
  }

  /**
   * A refusal is a tool's error, as what a tool is called with may be put right. What the rules say of this call was
   * decided before.
   * @param version the revision that the answer has to be in
   * @throws HivegateError `unknown_tool` when there is none, or not for this client
   */
  async call(
    name: string,
    given: unknown,
    caller: GatewayToolCaller,
    version: string,
  ): Promise<CallToolResult> {
    const tool = Object.hasOwn(GATEWAY_TOOLS, ownName(name)) ? GATEWAY_TOOLS[ownName(name)] : undefined;
    if (!tool || !isFor(caller.identity, tool)) throw unknownTool(name);
    const result = await tool
      .run(given, caller, this.#ports)
      .then(asResult, (thrown) => this.#failed(thrown));
    return version >= REVISION ? { resultType: "complete", ...result } : result;
  }

  #failed(thrown: unknown): CallToolResult {
    const error = asHivegateError(thrown);
    if (isOurFault(error)) this.#ports.log("a tool of the gateway's", error);
    return { content: [{ type: "text", text: JSON.stringify(error.toBody()) }], isError: true };
  }
}

const ownName = (name: string): string => splitQualifiedName(name)?.name ?? "";

const isFor = (identity: Pick<Identity, "permissions">, { needs }: GatewayTool): boolean =>
  needs === null || may(identity, needs);

/** For clients that do not know of structure the same as text. */
const asResult = (answer: Record<string, unknown>): CallToolResult => ({
  content: [{ type: "text", text: JSON.stringify(answer) }],
  structuredContent: answer,
});
