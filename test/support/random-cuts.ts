/** A way to a TCP server whose connections break in the middle of what they carry, at moments that a seed decides. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { portOf } from "./line-server.ts";

export type RandomCuts = {
  url: string;
  /** Connections that were broken so far. */
  cuts(): number;
  close(): Promise<void>;
};

/** Each connection carries so many bytes at least and at most, in both directions together; of the last piece a part is lost. */
export async function startRandomCuts(
  toUrl: string,
  { random, leastBytes, mostBytes }: { random(): number; leastBytes: number; mostBytes: number },
): Promise<RandomCuts> {
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(Number(new URL(toUrl).port), "127.0.0.1");
    let leftBytes = leastBytes + random() * (mostBytes - leastBytes);
    const arriving = random();
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        leftBytes -= chunk.length;
        if (leftBytes > 0) {
          to.write(chunk);
          return;
        }
        to.write(chunk.subarray(0, chunk.length * arriving));
        if (!from.destroyed) cuts++;
        near.destroy();
        far.destroySoon();
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroySoon();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    cuts: () => cuts,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
