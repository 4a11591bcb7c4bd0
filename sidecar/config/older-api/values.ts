/** What clients of the older system say of a server, as it is kept here. */
import type { ConfigValue } from "../../../shared/protocol/config.ts";
import { kindOf } from "../file/kind.ts";
import { hideSecrets, revealSecrets } from "../hidden.ts";
import { asWritten } from "../old/rows.ts";
import { normalSettings } from "../old/settings.ts";
import type { Configure, ServerCreate, ServerUpdate } from "./bodies.ts";

/** As the older system has it: every agent's name once. */
export function created({ name: _, server_type, ...said }: ServerCreate): ConfigValue {
  const empty: ConfigValue = { config: {}, agent_names: [], allowed_tools: ["*"], enabled: true };
  return withSaid(empty, said, server_type);
}

/**
 * Only what is said changes; how it is reached stays of the kind that it is.
 * @throws HivegateError `config_invalid` where a secret that is not said would go to somebody else than before
 */
export function updated(value: ConfigValue, said: ServerUpdate): ConfigValue {
  const kind = kindOf(value.config);
  const shown = { ...value, config: hideSecrets(value.config) };
  const after = withSaid(shown, said, typeof kind === "string" ? kind : undefined);
  return { ...after, config: revealSecrets(after.config, value.config) };
}

/** A whole new one, whatever was there before. */
export function configured(entry: Configure["mcpServers"][string]): ConfigValue {
  const { auto_start, max_retries, timeout_seconds, agent_names, enabled, disabled, ...config } = entry;
  const value: ConfigValue = {
    config: asWritten(config),
    agent_names: [],
    allowed_tools: ["*"],
    enabled: enabled ?? !(disabled ?? false),
  };
  return withSaid(value, { auto_start, max_retries, timeout_seconds, agent_names });
}

/** The older system's texts are meant as they are: no variables are looked for in them. */
function withSaid(value: ConfigValue, said: Partial<ServerUpdate>, type?: string): ConfigValue {
  const [command, ...args] = said.command ?? [];
  const settings = {
    ...(type !== undefined && { type }),
    ...(command !== undefined && { command, args }),
    env: said.env,
    url: said.http_url,
    description: said.description,
    tags: said.tags,
    priority: said.priority,
    maxRetries: said.max_retries,
    timeoutSeconds: said.timeout_seconds,
    autoStart: said.auto_start,
  };
  const given = Object.fromEntries(Object.entries(settings).filter(([, setting]) => setting !== undefined));
  return {
    ...value,
    config: normalSettings({ ...value.config, ...asWritten(given) }),
    agent_names: [...new Set(said.agent_names ?? value.agent_names)],
  };
}
