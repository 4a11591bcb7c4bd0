/** The tongues in which clients speak: ours, and those of clients that were there before. */
import { z } from "zod";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { SeenAgent } from "../../shared/swarm/agent.ts";
import { visionflow } from "./visionflow.ts";

export const DialectName = z.enum(["hivegate", "visionflow"]);
export type DialectName = z.infer<typeof DialectName>;

export interface Dialect {
  /** Whether its clients answer probes; otherwise whatever they say counts as having read all. */
  readonly acknowledges: boolean;
  /** A client's message as the frame that it means; what cannot be one is given back as it is. */
  read(message: unknown): unknown;
  /** The messages that a frame comes to: none, one or several. `whole` gives an agent that it speaks of. */
  write(frame: GatewayFrame, whole: WholeAgent): readonly unknown[];
}

export type WholeAgent = (agentId: string) => SeenAgent | undefined;

const hivegate: Dialect = { acknowledges: true, read: (message) => message, write: (frame) => [frame] };

export const DIALECTS: Record<DialectName, Dialect> = { hivegate, visionflow };
