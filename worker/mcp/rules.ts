/** What the one who runs the gateway says about tools: who may use which, how often, and with how much. */
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";

const patterns = z.array(z.string().min(1).max(200)).min(1).max(200);

/**
 * Fits where each list that is given has a pattern that fits. One with `tools` is about tools alone, by their names
 * among all servers'; without it it is about all that a server has.
 */
const AccessRule = z.strictObject({
  effect: z.enum(["allow", "deny"]),
  subjects: patterns.optional(),
  roles: patterns.optional(),
  servers: patterns.optional(),
  tools: patterns.optional(),
});
export type AccessRule = z.infer<typeof AccessRule>;

const often = z.number().positive().max(1_000_000);

/** How often each client may call each tool that fits. */
const RateRule = z
  .strictObject({
    tools: patterns,
    perSecond: often.optional(),
    perMinute: often.optional(),
    burst: z.number().int().min(1).max(1_000_000),
  })
  .refine(({ perSecond, perMinute }) => (perSecond === undefined) !== (perMinute === undefined), {
    message: "expected either perSecond or perMinute",
  })
  .transform(({ tools, perSecond, perMinute, burst }) => ({
    tools,
    rate: { burst, perSecond: perSecond ?? (perMinute ?? 0) / 60 },
  }));
export type RateRule = z.infer<typeof RateRule>;

const SizeRule = z.strictObject({
  tools: patterns,
  argumentBytes: z.number().int().min(1).max(LIMITS.requestBodyBytes),
});
export type SizeRule = z.infer<typeof SizeRule>;

/** Of each list the first that fits counts. What no `access` rule is about is allowed as the token has it. */
export const Rules = z.strictObject({
  access: z.array(AccessRule).max(1_000).default([]),
  rates: z.array(RateRule).max(200).default([]),
  sizes: z.array(SizeRule).max(200).default([]),
});
export type Rules = z.infer<typeof Rules>;

export const NO_RULES: Rules = { access: [], rates: [], sizes: [] };
