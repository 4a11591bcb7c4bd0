import type { ConfigProblem } from "../../../shared/protocol/config.ts";
import type { ConfigEntry } from "../entry.ts";
import type { EntryProblem } from "./expand.ts";
import { kindOf } from "./kind.ts";
import { parseConfigFile } from "./parse.ts";
import { ownRules, type Rules } from "./rules.ts";
import { checkTogether, toServerConfig } from "./server.ts";

export type CheckedConfigFile = {
  problems: ConfigProblem[];
  warnings: ConfigProblem[];
  servers: { name: string; kind: string; enabled: boolean }[];
};

/** All that a sidecar with these variables would say. A variable that only the sidecar may have is a warning. */
export function checkConfigFile(text: string, env: Rules["env"]): CheckedConfigFile {
  const file = parseConfigFile(text);
  if (!file.ok) return { problems: [file.problem], warnings: [], servers: [] };
  const checked = file.entries
    .filter(({ enabled }) => enabled)
    .map((entry) => ({ name: entry.name, server: toServerConfig(entry, ownRules(env)) }));
  const wrong = checked.flatMap(({ name, server }) => ("message" in server ? [{ name, ...server }] : []));
  const together = checkTogether(checked.flatMap(({ server }) => ("message" in server ? [] : [server])));
  const placed = (all: readonly ({ name: string } & EntryProblem)[]) =>
    all.map(({ name, message, path }) => ({ message, ...file.placeOf(name, path) }));
  const isOpen = ({ unset }: EntryProblem) => unset !== undefined;
  return {
    problems: placed([...wrong.filter((one) => !isOpen(one)), ...(together ? [together] : [])]),
    warnings: [...file.warnings, ...placed(wrong.filter(isOpen))],
    servers: file.entries.map(described),
  };
}

function described({ name, config, enabled }: ConfigEntry): CheckedConfigFile["servers"][number] {
  const kind = kindOf(config);
  return { name, enabled, kind: typeof kind === "string" ? kind : "unknown" };
}
