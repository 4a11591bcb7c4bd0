import { createHmac, hash } from "node:crypto";
import { parseEnv } from "node:util";
import { z } from "zod";
import { type Hmac, sealWith } from "../../../shared/audit/chain.ts";
import { ChainVerifier, type KnownPlace, type Verdict } from "../../../shared/audit/verify.ts";
import { type Arguments, type Command, EXIT, type ExitCode, type Io, UsageError } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";

const USAGE = "audit export | audit verify [FILE] [--known SEQ:HASH]";

export const audit: Command = {
  summary: "Export the gateway's audit log, or verify that nobody has altered it",
  usage: USAGE,
  example: "hivegate audit export > audit.jsonl && hivegate audit verify audit.jsonl",
  options: {
    ...CONNECTION_OPTIONS,
    known: { type: "string", value: "SEQ:HASH", help: "an entry that an earlier verification told of" },
  },
  words: [1, 2],
  async run(args, io) {
    const [action, file] = args.words;
    if (action === "verify") return verify(args, io, file);
    if (action !== "export" || file !== undefined) throw new UsageError(`Usage: hivegate ${USAGE}`);
    for await (const line of connect(args, io).auditLines()) await io.out(`${line}\n`);
    return EXIT.done;
  },
};

async function verify(args: Arguments, io: Io, file: string | undefined): Promise<ExitCode> {
  const keys = keysOf(io);
  const verifier = new ChainVerifier({
    sha256: (text) => hash("sha256", text),
    sealOf:
      keys &&
      ((kid) => {
        const key = keys.get(kid);
        return key === undefined ? null : sealWith(hmac, { kid, key: Buffer.from(key, "base64") });
      }),
    known: knownPlace(args.text("known")),
  });
  for await (const line of file === undefined ? connect(args, io).auditLines() : linesOf(io, file))
    verifier.push(line);
  const verdict = verifier.end();
  await io.out(`${args.flag("json") ? JSON.stringify(verdict) : inWords(verdict)}\n`);
  return verdict.ok ? EXIT.done : EXIT.failed;
}

const hmac: Hmac = (key, text) => createHmac("sha256", key).update(text).digest();

function* linesOf(io: Io, file: string): Generator<string, void, void> {
  const text = io.readFile(file);
  if (text === null) throw new UsageError(`${file} cannot be read.`);
  yield* text.split("\n");
}

function inWords(verdict: Verdict): string {
  if (!verdict.ok) return `Entry ${verdict.seq} is the first that is wrong: ${verdict.reason}.`;
  const { from, to, hash, isSealed, isKnownDropped } = verdict;
  const seal =
    isSealed === true
      ? "The seal of its end is right."
      : "Whether its end is sealed by the gateway was not checked: that takes SIDECAR_KEYS.";
  const dropped = isKnownDropped
    ? "The known entry is among those dropped for want of room: the log is not compared with it.\n"
    : "";
  return `Entries ${from} to ${to} are as they were written. ${seal}\n${dropped}Keep this for the next time: --known ${to}:${hash}`;
}

const KNOWN = /^(\d{1,15}):([0-9a-f]{64})$/;

function knownPlace(text: string | undefined): KnownPlace | undefined {
  if (text === undefined) return undefined;
  const match = KNOWN.exec(text);
  if (!match) throw new UsageError("--known: as it was told, SEQ:HASH.");
  return { seq: Number(match[1]), hash: match[2] ?? "" };
}

const SECRETS_FILE = ".dev.vars";
const Keys = z.record(z.string(), z.string());

/** The gateway's keys; null: they are not at hand. @throws UsageError that names the variable, never its value */
function keysOf(io: Io): ReadonlyMap<string, string> | null {
  const text = io.env.SIDECAR_KEYS || parseEnv(io.readFile(SECRETS_FILE) ?? "").SIDECAR_KEYS;
  if (!text) return null;
  try {
    return new Map(Object.entries(Keys.parse(JSON.parse(text))));
  } catch {
    throw new UsageError("SIDECAR_KEYS has to be JSON: the names of keys, and each in base64.");
  }
}
