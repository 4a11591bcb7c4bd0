/** What a tool of the gateway's own is: shown by `/mcp` beside the servers' tools, and executed here. */
import { z } from "zod";
import type { Identity, NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { HybridHealth } from "../../shared/protocol/sidecar.ts";
import type { RegistryServer } from "../../shared/protocol/tools.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import type { Access } from "./access.ts";
import type { CallOne } from "./batch.ts";

/** Who calls, and what is done in the same way as everything else that this client asks. */
export type GatewayToolCaller = {
  hive: string;
  identity: Identity;
  access: Access;
  /** Aborted when the answer is no longer wanted. */
  signal: AbortSignal;
  /** Calls another tool for the same client. */
  callTool: CallOne;
};

export type GatewayToolPorts = {
  sidecar(hive: string): SidecarClient;
  registry: { servers(hive: string): Promise<readonly RegistryServer[]> };
  health(hive: string, now: () => number): Promise<HybridHealth>;
  now(): number;
  uuid(): string;
};

/** As MCP lists it. */
export type ListedTool = {
  name: string;
  title: string;
  description: string;
  inputSchema: Record<string, unknown>;
  outputSchema: Record<string, unknown>;
  annotations: ToolHints;
};

type ToolHints = {
  readOnlyHint: boolean;
  destructiveHint?: boolean;
  idempotentHint?: boolean;
  openWorldHint: boolean;
};

export type GatewayTool = {
  /** What whoever uses it needs beside the permission to use tools; null: nothing. */
  needs: NamedPermission | null;
  listed: Omit<ListedTool, "name">;
  /** @throws HivegateError */
  run(given: unknown, caller: GatewayToolCaller, ports: GatewayToolPorts): Promise<Record<string, unknown>>;
};

export type GatewayToolParts<
  Input extends z.ZodType,
  Output extends z.ZodType<Record<string, unknown>>,
> = Pick<GatewayTool, "needs"> &
  Pick<ListedTool, "title" | "description" | "annotations"> & {
    input: Input;
    output: Output;
    run(given: z.output<Input>, caller: GatewayToolCaller, ports: GatewayToolPorts): Promise<z.input<Output>>;
  };

export function gatewayTool<Input extends z.ZodType, Output extends z.ZodType<Record<string, unknown>>>({
  needs,
  input,
  output,
  run,
  ...words
}: GatewayToolParts<Input, Output>): GatewayTool {
  return {
    needs,
    // What a client sends, and what it may rely on: fields that come later do not make an answer wrong.
    listed: { ...words, inputSchema: jsonSchema(input), outputSchema: jsonSchema(output) },
    async run(given, caller, ports) {
      const parsed = input.safeParse(given ?? {});
      if (!parsed.success) throw unfit(parsed.error);
      return output.parse(await run(parsed.data, caller, ports));
    },
  };
}

const jsonSchema = (schema: z.ZodType): Record<string, unknown> => ({
  ...z.toJSONSchema(schema, { io: "input" }),
});

function unfit({ issues: [issue] }: z.ZodError): HivegateError {
  return new HivegateError("invalid_request", `${issue?.path.join(".") || "arguments"}: ${issue?.message}`);
}
