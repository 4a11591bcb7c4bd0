/** Secrets for a gateway on this machine alone: made on the first run, kept in files that only we can read. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { z } from "zod";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { StartError } from "./children.ts";

/** wrangler reads secrets from this file, and so does the CLI. */
const SECRETS_FILE = ".dev.vars";
const STATE_DIR = ".hivegate";
const TOKEN_FILE = `${STATE_DIR}/token`;
const TOKEN_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

const Secrets = z.object({ SIDECAR_KEYS: z.string(), JWT_SECRET: z.string() });
export type Secrets = z.infer<typeof Secrets> & { kid: string };

/** @throws StartError when the file is there but lacks something */
export async function devSecrets(): Promise<Secrets> {
  const text = (await readFile(SECRETS_FILE, "utf8").catch(() => null)) ?? (await newSecrets());
  await chmod(SECRETS_FILE, 0o600);
  const secrets = Secrets.safeParse(parseEnv(text));
  if (!secrets.success) {
    const name = secrets.error.issues[0]?.path.join(".");
    throw new StartError(
      `${SECRETS_FILE} holds no ${name}: add it, or remove the file to have a new one made`,
    );
  }
  return { ...secrets.data, kid: firstKey(secrets.data.SIDECAR_KEYS) };
}

/** A token that may do everything on this gateway; written to a file for the CLI. */
export async function devToken(secrets: Secrets, hive: string, nowMs: number): Promise<string> {
  const token = await mintToken(
    { subject: "dev", hives: [hive], permissions: [...ALL_PERMISSIONS], expiresMs: nowMs + TOKEN_LIFE_MS },
    Buffer.from(secrets.JWT_SECRET, "base64"),
    nowMs,
  );
  await mkdir(STATE_DIR, { recursive: true, mode: 0o700 });
  await writeFile(TOKEN_FILE, `${token}\n`, { mode: 0o600 });
  return token;
}

async function newSecrets(): Promise<string> {
  const secret = () => randomBytes(32).toString("base64");
  const text = `SIDECAR_KEYS={"dev":"${secret()}"}\nJWT_SECRET=${secret()}\n`;
  await writeFile(SECRETS_FILE, text, { mode: 0o600 });
  return text;
}

function firstKey(keys: string): string {
  try {
    const [kid] = Object.keys(z.record(z.string(), z.string()).parse(JSON.parse(keys)));
    if (kid !== undefined) return kid;
  } catch {
    // Said below.
  }
  throw new StartError(`SIDECAR_KEYS in ${SECRETS_FILE} has to be JSON {kid: base64}`);
}
