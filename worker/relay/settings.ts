/** What the one who runs the gateway says about the relay. */
import { z } from "zod";
import { DEFAULT_ROLES, type Roles } from "./roles.ts";

/** In which directions secrets are taken out of messages: `receive` is from the orchestrator to the client. */
export const Redact = z.enum(["both", "receive", "off"]);

export type RelaySettings = {
  roles: Roles;
  redact: z.infer<typeof Redact>;
  /** What a client may send; twice as much at once. What comes faster waits. */
  messagesPerSecond: number;
};

export const DEFAULT_RELAY: RelaySettings = { roles: DEFAULT_ROLES, redact: "both", messagesPerSecond: 500 };
