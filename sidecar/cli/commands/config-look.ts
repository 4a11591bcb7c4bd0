/** What the gateway tells of the MCP servers' configuration. */
import { clockTime } from "../../../shared/client/time-text.ts";
import type { ConfigItem, ConfigStatus, ConfigVersion } from "../../../shared/protocol/config.ts";
import { EXIT } from "../command.ts";
import { table } from "../table.ts";
import type { ConfigAction } from "./config-action.ts";

export const list: ConfigAction = {
  usage: "config list",
  words: [0, 0],
  async run({ client, answer, io }) {
    const found = await client.configs.list();
    return answer(found, () =>
      found.configs.length === 0 ? "No servers." : listText(found.configs, io.columns),
    );
  },
};

export const get: ConfigAction = {
  usage: "config get NAME",
  words: [1, 1],
  async run({ client, words: [name = ""], answer }) {
    const item = await client.configs.get(name);
    return answer(item, () => JSON.stringify(item, null, 2));
  },
};

export const history: ConfigAction = {
  usage: "config history [NAME]",
  words: [0, 1],
  async run({ client, words: [name], answer, io }) {
    const told = await client.configs.history(name === undefined ? {} : { name });
    return answer(told, () => {
      if (told.versions.length === 0) return "No versions.";
      const text = historyText(told.versions, io.now(), io.columns);
      return told.more ? `${text}\nThere are older ones: --json and the API's "before" tell of them.` : text;
    });
  },
};

export const status: ConfigAction = {
  usage: "config status",
  words: [0, 0],
  async run({ client, answer, io }) {
    const told = await client.configs.status();
    await answer(told, () => statusText(told, io.now()));
    return told.last_error === null ? EXIT.done : EXIT.failed;
  },
};

const listText = (configs: readonly ConfigItem[], columns: number | null): string =>
  table(
    [
      ["SERVER", "REVISION", "STATE", "AGENTS", "WHERE"],
      ...configs.map(({ name, revision, enabled, agent_names, config }) => [
        ...[name, String(revision), enabled ? "enabled" : "disabled", String(agent_names.length)],
        placeText(config),
      ]),
    ],
    columns,
  );

/** What tells a server from others at a glance. */
function placeText({ command, url, host, port, container }: Record<string, unknown>): string {
  const place = url ?? command ?? (host === undefined ? undefined : `${host}:${port}`);
  return [container, place].filter((part) => typeof part === "string").join(" ") || "–";
}

const historyText = (versions: readonly ConfigVersion[], nowMs: number, columns: number | null): string =>
  table(
    [
      ["REVISION", "WHEN", "SERVER", "WHAT", "BY", "FROM"],
      ...versions.map(({ revision, at, name, value, lost, by, source }) => [
        ...[String(revision), clockTime(at, nowMs), name],
        ...[lost ? "not in force" : value === null ? "removed" : "set", by, source],
      ]),
    ],
    columns,
  );

function statusText(status: ConfigStatus, nowMs: number): string {
  const { revision, changed_at, changed_by, source, servers, file, last_error, conflicts } = status;
  const since =
    changed_at === null ? "" : `, since ${clockTime(changed_at, nowMs)} by ${changed_by} (${source})`;
  const place = last_error?.line ? `:${last_error.line}:${last_error.column}` : "";
  const where = last_error?.source === "file" && file ? file.name : last_error?.source;
  return [
    `Revision ${revision}${since}: ${servers} servers.`,
    file ? `File ${file.name}: ${file.state}.` : "No file.",
    ...(file?.warnings ?? []).map(({ message, line, column }) => `  ${line}:${column}: ${message}`),
    ...(last_error
      ? [`Refused at ${clockTime(last_error.at, nowMs)}: ${where}${place}: ${last_error.message}`]
      : []),
    ...conflicts.map(({ name, message }) => `Conflict over ${name}: ${message}`),
  ].join("\n");
}
