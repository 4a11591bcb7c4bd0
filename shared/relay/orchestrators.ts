/** Which orchestrators there are and how they are: `GET` and `PUT /v1/relay/orchestrators` of the sidecar. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { Circuit } from "../protocol/sidecar.ts";
import { OrchestratorNotice } from "./records.ts";

const OrchestratorUrl = z.url({ protocol: /^wss?$/, error: "expected a ws:// or wss:// address" });

/** New sessions use these from now on; the others are left when they have answered what they were asked. */
export const OrchestratorsChange = z.object({
  urls: z
    .array(OrchestratorUrl)
    .min(1)
    .max(LIMITS.orchestrators)
    .refine((urls) => new Set(urls).size === urls.length, "expected each address once"),
});
export type OrchestratorsChange = z.infer<typeof OrchestratorsChange>;

export const OrchestratorsAnswer = z.object({
  orchestrators: z.array(
    z.object({
      /** Without user, password and query: they may be secrets. */
      url: z.string(),
      /** Of the shared connection; `idle` while no shared session needs it, `draining` when it is left. */
      state: z.union([OrchestratorNotice.shape.state, z.literal("idle")]),
      circuit: Circuit,
      sessions: z.object({ shared: z.number().int(), dedicated: z.number().int() }),
      /** Requests that wait for its answers. */
      pending: z.number().int(),
    }),
  ),
});
export type OrchestratorsAnswer = z.infer<typeof OrchestratorsAnswer>;
