/** The audit log, read page by page. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { LineSplitter, readLines } from "../wire/lines.ts";

const Entry = z.object({ seq: z.number() });
const Head = z.object({ head: z.object({ seq: z.number() }) });

/**
 * The lines of its export: each entry once, in order, and at last where the log ended when the last page was read.
 * What comes is passed on as it is, to be verified.
 */
export async function* auditLines(
  open: (query: string) => Promise<ReadableStream<Uint8Array>>,
): AsyncGenerator<string, void, void> {
  for (let after = 0; ; ) {
    const lines: string[] = [];
    const splitter = new LineSplitter(LIMITS.auditLineBytes, { keepEmpty: false });
    for await (const line of readLines(await open(`?after=${after}`), splitter)) lines.push(line);
    const head = lines.pop() ?? "";
    yield* lines;
    const last = Entry.safeParse(parsed(lines.at(-1)));
    const end = Head.safeParse(parsed(head));
    if (!last.success || !end.success || last.data.seq <= after || last.data.seq >= end.data.head.seq) {
      yield head;
      return;
    }
    after = last.data.seq;
  }
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return null;
  }
}
