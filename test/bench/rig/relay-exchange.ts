/** What clients and orchestrator of the relay's benchmark say to each other: each message is answered by one as long. */

export type Payload = {
  /** What is sent as the `n`th message of a client, from 1. */
  message(n: number): string | Uint8Array;
  /** Whether this is the answer to it. Cheap: what reads must not be what is measured. */
  isAnswer(data: Buffer, n: number): boolean;
};

const RPC_START = '{"jsonrpc":"2.0","id":';

/** A call of a tool. Ids are small, and the same at every client. */
export function rpcPayload(bytes: number): Payload {
  const call = (pad: string) =>
    `,"method":"tools/call","params":{"name":"demo_status","arguments":{"note":"${pad}"}}}`;
  const rest = call("x".repeat(Math.max(0, bytes - RPC_START.length - call("").length - 3)));
  return {
    message: (n) => RPC_START + n + rest,
    isAnswer(data, n) {
      const start = `${RPC_START}${n},"result":`;
      return data.toString("latin1", 0, start.length) === start;
    },
  };
}

/** Opaque messages, which come back as they went. */
export function opaquePayload(bytes: number, kind: "text" | "binary"): Payload {
  const numbered = (n: number) => String(n).padEnd(NUMBER_BYTES);
  const rest = "x".repeat(bytes - NUMBER_BYTES);
  // A client's frames are masked, which copies them: the same bytes may be sent again.
  const bulk = Buffer.alloc(bytes, "x");
  const withNumber = (n: number) => {
    bulk.write(numbered(n), "latin1");
    return bulk;
  };
  return {
    message: kind === "text" ? (n) => numbered(n) + rest : withNumber,
    isAnswer: (data, n) => data.length === bytes && data.toString("latin1", 0, NUMBER_BYTES) === numbered(n),
  };
}

const NUMBER_BYTES = 12;
