import { type Command, EXIT, UsageError } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import type { ConfigAction } from "./config-action.ts";
import { put, reload, remove, restore } from "./config-change.ts";
import { checkConfig } from "./config-check.ts";
import { get, history, list, status } from "./config-look.ts";

const CHECK = "config check FILE";
const ACTIONS: Record<string, ConfigAction> = { list, get, put, remove, history, restore, status, reload };
const USAGE = [CHECK, ...Object.values(ACTIONS).map(({ usage }) => usage)].join(" | ");

export const config: Command = {
  summary: "See and change the MCP servers, or check a file of them",
  usage: USAGE,
  example: "hivegate config get files --json > files.json && hivegate config put files files.json",
  options: {
    ...CONNECTION_OPTIONS,
    revision: {
      type: "string",
      value: "N",
      help: "put and remove: the version that is meant (the present one)",
    },
  },
  words: [1, 3],
  async run(args, io) {
    const [what = "", ...words] = args.words;
    if (what === "check") {
      const [path] = words;
      if (path === undefined || words.length > 1) throw new UsageError(`Usage: hivegate ${CHECK}`);
      return checkConfig(path, io);
    }
    const action = Object.hasOwn(ACTIONS, what) ? ACTIONS[what] : undefined;
    if (!action) throw new UsageError(`there is no "config ${what}". Usage: hivegate ${USAGE}`);
    const [least, most] = action.words;
    if (words.length < least || words.length > most) throw new UsageError(`Usage: hivegate ${action.usage}`);
    const isJson = args.flag("json");
    const answer = async (answer: unknown, text: () => string) => {
      await io.out(`${isJson ? JSON.stringify(answer) : text()}\n`);
      return EXIT.done;
    };
    return action.run({ client: connect(args, io), words, args, io, answer });
  },
};
