import { parseEnv } from "node:util";
import { z } from "zod";
import { ALL_PERMISSIONS, Identity, Permission, Scope } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { HiveId } from "../../../shared/protocol/ids.ts";
import { type Command, EXIT, type Io, UsageError } from "../command.ts";
import { setting } from "../connection.ts";
import { durationMs } from "../duration.ts";

const SECRETS_FILE = ".dev.vars";

const Hive = z.union([HiveId, z.literal("*")]);
const Permissions = z.array(Permission).min(1);

export const token: Command = {
  summary: "Make a token, signed with JWT_SECRET (from the environment or .dev.vars)",
  usage: "token [--subject S] [--hive H] [--ttl 12h] [--permissions a,b] [--role R] [--swarms a,b] [--json]",
  example: "HIVEGATE_TOKEN=$(hivegate token --ttl 30m --permissions telemetry:read,tasks:read)",
  options: {
    subject: { type: "string", value: "S", help: "who it is for (cli)" },
    hive: { type: "string", value: "H", help: "the hive that it opens, * for all (HIVEGATE_HIVE, default)" },
    ttl: { type: "string", value: "TTL", help: "how long it lives: 90s, 30m, 12h, 7d (12h)" },
    permissions: {
      type: "string",
      value: "LIST",
      help: `any of ${ALL_PERMISSIONS.join(",")}, or parts: tools:call:NAME, with * (all)`,
    },
    role: { type: "string", value: "R", help: "its role on the relay (by relay:write: operator or viewer)" },
    swarms: { type: "string", value: "LIST", help: "it sees these swarms alone (all)" },
    json: { type: "boolean", help: "tell what it holds, in JSON" },
  },
  words: [0, 0],
  async run(args, io) {
    const role = checked(Identity.shape.role, args.text("role"), "--role: 1 to 100 characters.");
    const identity = {
      subject: checked(
        Identity.shape.subject,
        args.text("subject") ?? "cli",
        "--subject: 1 to 200 characters.",
      ),
      hives: [checked(Hive, setting(args, io, "hive") ?? "default", "--hive: a hive's id, or *.")],
      permissions: checked(
        Permissions,
        args.text("permissions")?.split(",") ?? ALL_PERMISSIONS,
        `--permissions: any of ${ALL_PERMISSIONS.join(",")}.`,
      ),
      scope: checked(
        Scope,
        { swarm_ids: args.text("swarms")?.split(",") },
        "--swarms: up to 50 ids of swarms, separated by commas.",
      ),
      ...(role !== undefined && { role }),
      expiresMs: io.now() + ttlMs(args.text("ttl") ?? "12h"),
    };
    const minted = await mintToken(identity, secretOf(io), io.now());
    await io.out(`${args.flag("json") ? JSON.stringify({ token: minted, ...identity }) : minted}\n`);
    return EXIT.done;
  },
};

function ttlMs(text: string): number {
  const ms = durationMs(text);
  if (ms === null) throw new UsageError("--ttl: a number and s, m, h or d, such as 12h.");
  return ms;
}

/** @throws UsageError that names the variable, never its value */
function secretOf(io: Io): Uint8Array {
  const text = io.env.JWT_SECRET || parseEnv(io.readFile(SECRETS_FILE) ?? "").JWT_SECRET;
  if (!text) {
    throw new UsageError(
      `no JWT_SECRET. Set it to the gateway's own, or run this where ${SECRETS_FILE} is: npm start writes it.`,
    );
  }
  const secret = Buffer.from(text, "base64");
  if (!/^[\w+/-]+=*$/.test(text) || secret.length < 32)
    throw new UsageError("JWT_SECRET has to be at least 32 bytes in base64.");
  return secret;
}

function checked<T>(schema: z.ZodType<T>, value: unknown, message: string): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new UsageError(message);
  return parsed.data;
}
