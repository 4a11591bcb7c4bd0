/** A real PostgreSQL server with a directory and a port of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import postgres from "postgres";
import { freePort } from "./free-port.ts";

const START_WITHIN_MS = 30_000;
const PASSWORD = "correct horse";

/** Debian keeps them apart from what users call. */
const bin: string | null =
  globSync("/usr/lib/postgresql/*/bin")
    .toSorted((one, other) => other.localeCompare(one, "en", { numeric: true }))
    .find((dir) => existsSync(join(dir, "initdb"))) ?? null;

/**
 * Whether there is one. Where there has to be (HIVEGATE_REQUIRE_POSTGRES=1) its absence is an error: a skipped test proves
 * nothing. Elsewhere the skip is said aloud.
 */
export function postgresAvailable(): boolean {
  if (bin !== null) return true;
  if (process.env.HIVEGATE_REQUIRE_POSTGRES === "1")
    throw new Error("there is no PostgreSQL, and here the older database's tests may not be skipped");
  console.warn(
    "SKIPPED: there is no PostgreSQL, so the older database in it is not tested. Run .ci/postgres.sh.",
  );
  return false;
}

export type PostgresServer = {
  /** A new, empty database. */
  database(): Promise<PostgresDatabase>;
  stop(): Promise<void>;
};

export type PostgresDatabase = {
  /** As in MCP_OLD_DATABASE. */
  url: string;
  /** For what a test has to do to it. */
  sql: postgres.Sql;
};

export async function startPostgres(): Promise<PostgresServer> {
  if (bin === null) throw new Error("there is no PostgreSQL here: run .ci/postgres.sh");
  const dir = mkdtempSync(join(tmpdir(), "hivegate-postgres-"));
  const user = unprivileged();
  if (user) chownSync(dir, user.uid, user.gid);
  const data = join(dir, "data");
  const password = join(dir, "password");
  writeFileSync(password, PASSWORD);
  const args = [
    "--no-sync",
    "--username=owner",
    "--auth=scram-sha-256",
    `--pwfile=${password}`,
    "-E",
    "UTF8",
    "-D",
    data,
  ];
  execFileSync(join(bin, "initdb"), args, { stdio: "pipe", ...user });
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: dir,
    fsync: "off",
    shared_buffers: "16MB",
    max_connections: 20,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(bin, "postgres"), ["-D", data, ...options], {
    stdio: ["ignore", "ignore", "pipe"],
    ...user,
  });
  const endWithUs = () => void child.kill("SIGQUIT");
  process.once("exit", endWithUs);
  await listening(child);

  const clients: postgres.Sql[] = [];
  const clientOf = (name: string): PostgresDatabase => {
    const url = `postgres://owner:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${name}`;
    const sql = postgres(url, { max: 2, onnotice: () => {} });
    clients.push(sql);
    return { url, sql };
  };
  const { sql: admin } = clientOf("postgres");
  let databases = 0;
  return {
    async database() {
      const name = `older_${++databases}`;
      await admin.unsafe(`CREATE DATABASE ${name}`);
      return clientOf(name);
    },
    async stop() {
      await Promise.all(clients.map((client) => client.end({ timeout: 1 })));
      process.off("exit", endWithUs);
      const ended = once(child, "exit");
      // Without waiting for clients.
      child.kill("SIGINT");
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to work for root. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const idOf = (option: string, name: string) =>
    Number(execFileSync("id", [option, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: idOf("-u", name), gid: idOf("-g", name) };
    } catch {
      // There is no such user; the next one is.
    }
  }
  throw new Error("there is no user for PostgreSQL: it refuses to work for root");
}

/** It says so in its log. */
async function listening(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (why: string) => reject(new Error(`PostgreSQL ${why}: ${said.join("\n")}`));
  const limit = setTimeout(() => failed("did not start in time"), START_WITHIN_MS);
  child.once("exit", () => failed("ended before it listened"));
  if (child.stderr)
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (said.length < 100) said.push(line);
      if (line.includes("ready to accept connections")) resolve();
    });
  try {
    await promise;
  } finally {
    clearTimeout(limit);
  }
}
