/** Changes of the MCP servers' configuration, through the gateway: each for the version that was seen. */
import { z } from "zod";
import type { HivegateClient } from "../../../shared/client/rest.ts";
import type { ExpectedRevision, NewConfig } from "../../../shared/client/rest-configs.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { type ConfigDifference, ConfigValue } from "../../../shared/protocol/config.ts";
import { parseConfigFile } from "../../config/file/parse.ts";
import { type Arguments, type Io, UsageError } from "../command.ts";
import type { ConfigAction } from "./config-action.ts";

export const put: ConfigAction = {
  usage: "config put NAME FILE [--revision N]",
  words: [2, 2],
  async run({ client, words: [name = "", path = ""], args, io, answer }) {
    const { value, revision } = readEntry(name, path, io);
    const expected = revisionIn(args) ?? revision ?? (await currentRevision(client, name));
    const item = await client.configs.put(name, value, expected);
    return answer(item, () => `${item.name}: revision ${item.revision}.`);
  },
};

export const remove: ConfigAction = {
  usage: "config remove NAME [--revision N]",
  words: [1, 1],
  async run({ client, words: [name = ""], args, answer }) {
    await client.configs.remove(name, revisionIn(args) ?? (await client.configs.get(name)).revision);
    return answer({ name, removed: true }, () => `Removed: ${name}. Its versions are in the history.`);
  },
};

export const restore: ConfigAction = {
  usage: "config restore NAME REVISION",
  words: [2, 2],
  async run({ client, words: [name = "", older = ""], answer }) {
    const item = await client.configs.restore(name, revisionOf(older), await currentRevision(client, name));
    return answer(item, () => `${item.name}: as in revision ${older}; this is revision ${item.revision}.`);
  },
};

export const reload: ConfigAction = {
  usage: "config reload",
  words: [0, 0],
  async run({ client, answer }) {
    const told = await client.configs.reload();
    return answer(told, () => `Revision ${told.revision}: ${differenceText(told)}.`);
  },
};

function differenceText(difference: ConfigDifference): string {
  const parts = (["added", "changed", "removed"] as const)
    .filter((what) => difference[what].length > 0)
    .map((what) => `${what} ${difference[what].join(", ")}`);
  return parts.join("; ") || "nothing changed";
}

/** The rest of what `config get` prints is passed over. */
const Written = z.object({ ...ConfigValue.shape, revision: z.int().positive().optional() });

/** What `config get` prints, or a file of MCP servers that has this one. @throws UsageError */
function readEntry(name: string, path: string, io: Io): { value: NewConfig; revision?: number | undefined } {
  const text = io.readFile(path);
  if (text === null) throw new UsageError(`${path} cannot be read.`);
  const parsed = parseConfigFile(text);
  if (parsed.ok) {
    const entry = parsed.entries.find((entry) => entry.name === name);
    if (!entry) throw new UsageError(`${path} has no server "${name}".`);
    const { name: _, ...value } = entry;
    return { value };
  }
  const item = Written.safeParse(jsonIn(text));
  if (!item.success) {
    const { line, column, message } = parsed.problem;
    throw new UsageError(`${path}:${line}:${column}: ${message}`);
  }
  const { revision, ...value } = item.data;
  return { value, revision };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function currentRevision(client: HivegateClient, name: string): Promise<ExpectedRevision> {
  try {
    return (await client.configs.get(name)).revision;
  } catch (thrown) {
    if (thrown instanceof HivegateError && thrown.code === "unknown_config") return "none";
    throw thrown;
  }
}

function revisionIn(args: Arguments): number | null {
  const text = args.text("revision");
  return text === undefined ? null : revisionOf(text);
}

function revisionOf(text: string): number {
  const revision = z.coerce.number().pipe(z.int().positive()).safeParse(text);
  if (!revision.success) throw new UsageError(`"${text}" is no revision: a number from 1 on.`);
  return revision.data;
}
