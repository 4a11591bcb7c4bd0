/** What clients of the older system send. */
import { z } from "zod";

const text = z.string();
const names = z.array(text);
const argv = z.tuple([text.min(1)], text);

const changes = {
  description: text,
  command: argv,
  env: z.record(text, text),
  http_url: text.min(1),
  agent_names: names,
  auto_start: z.boolean(),
  max_retries: z.int(),
  timeout_seconds: z.int(),
  tags: names,
  priority: z.int(),
};

/** What is not given, or null, stays as it is. */
const nullish = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const fields = {
  description: nullish(changes.description),
  command: nullish(changes.command),
  env: nullish(changes.env),
  http_url: nullish(changes.http_url),
  agent_names: nullish(changes.agent_names),
  auto_start: nullish(changes.auto_start),
  max_retries: nullish(changes.max_retries),
  timeout_seconds: nullish(changes.timeout_seconds),
  tags: nullish(changes.tags),
  priority: nullish(changes.priority),
};

export const ServerUpdate = z.object(fields);
export type ServerUpdate = z.infer<typeof ServerUpdate>;

export const ServerCreate = z
  .object({ name: text.min(1), server_type: z.enum(["stdio", "http"]), ...fields })
  .superRefine(({ server_type, command, http_url }, context) => {
    const missing = (field: string, message: string) =>
      context.issues.push({ code: "custom", path: [field], message, input: undefined });
    if (server_type === "stdio" && !command) missing("command", "Command is required for stdio servers");
    if (server_type === "http" && !http_url) missing("http_url", "HTTP URL is required for HTTP servers");
  });
export type ServerCreate = z.infer<typeof ServerCreate>;

/** Entries as in `.mcp.json`, with the older system's own settings in its spelling. */
export const Configure = z.object({
  mcpServers: z.record(
    text,
    z.looseObject({
      auto_start: fields.auto_start,
      max_retries: fields.max_retries,
      timeout_seconds: fields.timeout_seconds,
      agent_names: fields.agent_names,
      enabled: nullish(z.boolean()),
      disabled: nullish(z.boolean()),
    }),
  ),
});
export type Configure = z.infer<typeof Configure>;
