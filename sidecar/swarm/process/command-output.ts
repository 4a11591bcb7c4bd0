import type { OutputSink } from "../executor.ts";

/** Collects a short command's output up to a limit; what comes after it is dropped, and `full` resolves. */
export class CommandOutput {
  readonly full: Promise<void>;
  readonly #limitBytes: number;
  readonly #signalFull: () => void;
  readonly #text = { stdout: "", stderr: "" };
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.full = promise;
    this.#signalFull = resolve;
  }

  readonly add: OutputSink = (stream, text) => {
    if (this.#bytes > this.#limitBytes) return;
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > this.#limitBytes) this.#signalFull();
    else this.#text[stream] += text;
  };

  get stdout(): string {
    return this.#text.stdout;
  }

  get stderr(): string {
    return this.#text.stderr;
  }
}

/** Waits for the first of: the command's end, too much output, too much time. */
export async function firstOf<T>(
  end: Promise<T>,
  output: CommandOutput,
  timeoutMs: number,
): Promise<T | "output_limit" | "timeout"> {
  const { promise: late, resolve } = Promise.withResolvers<"timeout">();
  const timer = setTimeout(resolve, timeoutMs, "timeout");
  try {
    return await Promise.race([end, output.full.then(() => "output_limit" as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
