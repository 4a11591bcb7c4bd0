/**
 * Faults that tests can switch on (`serve --faults`), for the MCP port alone: the WebSocket stays well, so
 * that a fault can be switched off there whatever it does.
 *
 * - `hang`: a tool call is never answered
 * - `slow`: a tool call is answered after `ms`
 * - `garbage`: each line sent comes in two halves, between lines that are not JSON
 * - `drop`: the next tool call closes its connection, once
 * - `refuse`: a new connection gets a bare `{"error": …}` line and is closed
 *
 * A call of `demo_fault` itself is never held up.
 */
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import { type Tool, tool } from "./tools.ts";

const FaultOrder = z.object({
  fault: z.enum(["none", "hang", "slow", "garbage", "drop", "refuse"]),
  ms: z.number().int().min(0).max(600_000).default(1_000).describe("for slow: how late an answer comes"),
});

/** Long enough apart that the halves of a line arrive as two chunks. */
const HALVES_APART_MS = 5;

export class Faults {
  #order: z.infer<typeof FaultOrder> = { fault: "none", ms: 0 };

  readonly tool: Tool = tool(
    "demo_fault",
    "Switches a fault of this server on or off",
    FaultOrder,
    (order) => {
      this.#order = order;
      return order;
    },
  );

  get refusing(): boolean {
    return this.#order.fault === "refuse";
  }

  /** What is to become of a request, after any delay. */
  async admit(request: JsonRpcRequest): Promise<"answer" | "ignore" | "drop"> {
    if (request.method !== "tools/call" || request.params?.name === this.tool.name) return "answer";
    const { fault, ms } = this.#order;
    if (fault === "hang") return "ignore";
    if (fault === "slow") await delay(ms);
    if (fault !== "drop") return "answer";
    this.#order = { fault: "none", ms: 0 };
    return "drop";
  }

  /** Sends one line, `garbage` or not. The caller waits before it sends the next. */
  async send(socket: Socket, line: string): Promise<void> {
    if (this.#order.fault !== "garbage") {
      socket.write(`${line}\n`);
      return;
    }
    const bytes = Buffer.from(`[demo] about to answer\n${line}\n[demo] answered: {"not": json}\n`);
    const middle = Math.floor(bytes.length / 2);
    socket.write(bytes.subarray(0, middle));
    await delay(HALVES_APART_MS);
    socket.write(bytes.subarray(middle));
  }
}
