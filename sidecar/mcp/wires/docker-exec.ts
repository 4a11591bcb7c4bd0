import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { LIMITS } from "../../../shared/limits.ts";
import type { Logger } from "../../log.ts";
import { ContainerCommands } from "../../swarm/docker/container-commands.ts";
import { Demultiplexer, MalformedStream } from "../../swarm/docker/demux.ts";
import { CommandOutput } from "../../swarm/process/command-output.ts";
import { commandMarker, END_MARKED } from "../../swarm/process/marked.ts";
import type { OpenWire, Wire, WireEvents } from "../wire.ts";
import { messageLines } from "./message-lines.ts";
import { endProcess } from "./process-end.ts";

/** The Docker daemon, and the containers in which servers may be started. */
export type DockerAccess = { docker: Dockerode; allowed: readonly string[] };

export type DockerExecOptions = DockerAccess & {
  /** The server's name, for the log. */
  name: string;
  container: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  workdir?: string | undefined;
  log: Logger;
};

/** What ending the processes in the container takes beyond their grace: a Node process is started for it. */
const END_MS = 10_000;

/** A process in a container (`docker exec -i`): a message a line on its standard input and output. */
export function dockerExecWire(options: DockerExecOptions): OpenWire {
  const { docker, container, allowed, command, args, env, workdir } = options;
  return async (events, signal, timeoutMs) => {
    const commands = new ContainerCommands(
      { docker, container, allowed, commandTimeoutMs: timeoutMs, ...(workdir !== undefined && { workdir }) },
      // Its processes are ended when we stop, and that takes a command too.
      new AbortController().signal,
    );
    const marker = commandMarker(randomUUID());
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const endMarked = (graceMs: number) =>
      commands.run(["node", "-e", END_MARKED, marker, String(graceMs)], {
        ...{ env: [], output: new CommandOutput(LIMITS.commandOutputBytes), timeoutMs: graceMs + END_MS },
      });
    const soon = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const exec = await commands.create([command, ...args], [marker, ...variables], soon, { stdin: true });
    const stream = await exec.start({ hijack: true, stdin: true, abortSignal: soon }).catch((thrown) => {
      // Docker may have started it all the same.
      endMarked(0).catch(() => {});
      throw thrown;
    });
    return wireOf(stream, events, signal, endMarked, options);
  };
}

function wireOf(
  stream: Duplex,
  { onMessage, onClose }: WireEvents,
  signal: AbortSignal,
  endMarked: (graceMs: number) => Promise<unknown>,
  { name, log }: DockerExecOptions,
): Wire {
  const { promise: exited, resolve: exit } = Promise.withResolvers<void>();
  let ended: Promise<void> | null = null;
  const finish = async (): Promise<void> => {
    signal.removeEventListener("abort", stop);
    // Docker cannot end an exec, and whoever hangs does not hear the end of its input.
    await endProcess({ endInput: () => stream.end(), exited, end: endMarked });
    stream.destroy();
  };
  const end = (cause: Error | null): Promise<void> => {
    if (ended) return ended;
    ended = finish();
    onClose(cause);
    return ended;
  };
  const stop = () => void end(null);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();

  const take = messageLines({ onMessage, wanted: () => !ended, tooLong: (error) => void end(error) });
  const demultiplexer = new Demultiplexer((from, text) => {
    if (from === "stdout") return take(Buffer.from(text));
    log.debug({ server: name, said: text.slice(0, LIMITS.mcpNoiseChars) }, "the MCP server's process writes");
  });
  stream.on("data", (chunk: Buffer) => {
    try {
      demultiplexer.push(chunk);
    } catch (thrown) {
      if (!(thrown instanceof MalformedStream)) throw thrown;
      void end(thrown);
    }
  });
  stream.on("error", (error) => void end(error));
  stream.on("end", () => void end(new Error("the server's process ended")));
  stream.on("close", () => {
    exit();
    void end(new Error("the connection to the server's process was closed"));
  });

  return {
    get isOpen() {
      return ended === null && stream.writable;
    },
    get unsentBytes() {
      return stream.writableLength;
    },
    send: (message) => void stream.write(`${JSON.stringify(message)}\n`),
    close: () => end(null),
  };
}
