import { z } from "zod";

const figure = z.int().nonnegative().nullable();

/** As the older system had it; figures alone, for anybody may ask. Unknown is null. */
export const OlderHealth = z.object({
  status: z.string().max(100),
  servers_total: figure,
  servers_running: figure,
  servers_error: figure,
  tools_available: figure,
  resources_available: figure,
  timestamp: z.union([z.string().max(100), z.number()]),
});
export type OlderHealth = z.infer<typeof OlderHealth>;
