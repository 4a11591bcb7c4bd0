/** Which gateway, which hive, as whom: from options, environment, or what `npm start` left behind. */
import { z } from "zod";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HiveId } from "../../shared/protocol/ids.ts";
import { type Arguments, type Io, type Option, UsageError } from "./command.ts";

export const CONNECTION_OPTIONS: Record<string, Option> = {
  url: { type: "string", value: "URL", help: "the gateway (HIVEGATE_URL, http://127.0.0.1:8787)" },
  hive: { type: "string", value: "HIVE", help: "the hive (HIVEGATE_HIVE, default)" },
  token: { type: "string", value: "TOKEN", help: "the token (HIVEGATE_TOKEN, the one in .hivegate/token)" },
  json: { type: "boolean", help: "answer in JSON" },
};

const TOKEN_FILE = ".hivegate/token";
const Url = z.url({ protocol: /^https?$/ });
const Token = z.string().regex(/^[\w.~+/=-]+$/);

/** @throws UsageError that says what is missing or wrong */
export function connect(args: Arguments, io: Io): HivegateClient {
  const baseUrl = Url.safeParse(setting(args, io, "url") ?? "http://127.0.0.1:8787");
  if (!baseUrl.success) throw new UsageError("--url has to be an http or https address.");
  const hive = HiveId.safeParse(setting(args, io, "hive") ?? "default");
  if (!hive.success) throw new UsageError("--hive has to be a hive's id: a-z, 0-9 and -, at most 63.");
  const text = setting(args, io, "token") ?? io.readFile(TOKEN_FILE)?.trim();
  if (!text) throw new UsageError(`no token. Give --token or HIVEGATE_TOKEN; "hivegate token" makes one.`);
  const token = Token.safeParse(text);
  if (!token.success)
    throw new UsageError("--token is not a token: there are characters in it that cannot be.");
  return new HivegateClient({ baseUrl: baseUrl.data, hive: hive.data, token: token.data });
}

/** An empty variable counts as none. */
export const setting = (args: Arguments, io: Io, name: "url" | "hive" | "token"): string | undefined =>
  args.text(name) ?? (io.env[`HIVEGATE_${name.toUpperCase()}`] || undefined);
