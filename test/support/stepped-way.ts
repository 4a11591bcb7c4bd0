/**
 * A way to a server (TCP, or a socket file) on which a test can stop one exchange at an exact byte, break all
 * connections, and keep new ones waiting while whoever is behind it is away.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Where an exchange stands still: before the first byte of the request or of its answer, or just short of the last. */
export type Point = { of: "request" | "answer"; at: "start" | "last byte" };

/** A TCP port of 127.0.0.1, or the path of a socket file. */
type Address = number | string;

export type SteppedWay = {
  /** Resolves when the next exchange whose request begins like this stands still at the point. */
  stopAt(request: string, point: Point): Promise<void>;
  /** What stands still goes on. */
  goOn(): void;
  /** Breaks every connection. */
  cut(): void;
  /** New connections are taken, and lead nowhere before `open`, which may lead them somewhere else. */
  shut(): void;
  open(to?: Address): void;
  /** Connections there are now. */
  connections(): number;
  close(): Promise<void>;
};

type Stop = { request: string; point: Point; reached: () => void };

export async function startWay(
  to: Address,
  options: { socketPath?: string } = {},
): Promise<SteppedWay & { port: number }> {
  const lines = new Set<Line>();
  let target = to;
  let isShut = false;
  let stop: Stop | null = null;

  // Docker ends one direction of a stream before the other.
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const line = new Line(near, (request) => {
      if (!stop || !request.startsWith(stop.request)) return null;
      const taken = stop;
      stop = null;
      return taken;
    });
    lines.add(line);
    near.on("close", () => lines.delete(line));
    if (!isShut) line.leadTo(target);
  });
  server.listen(options.socketPath ?? { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();

  const cut = () => {
    for (const line of lines) line.destroy();
  };
  return {
    port: typeof address === "object" && address ? address.port : 0,
    stopAt: (request, point) =>
      new Promise((reached) => {
        stop = { request, point, reached };
      }),
    goOn: () => {
      for (const line of lines) line.goOn();
    },
    cut,
    shut: () => {
      isShut = true;
    },
    open: (elsewhere = target) => {
      target = elsewhere;
      isShut = false;
      for (const line of lines) line.leadTo(target);
    },
    connections: () => lines.size,
    close: async () => {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const NOTHING = Buffer.alloc(0);

/** One connection and its continuation. */
class Line {
  readonly #near: Socket;
  readonly #stopFor: (request: string) => Stop | null;
  #far: Socket | null = null;
  #stop: Stop | null = null;
  /** What came for whom and was not passed on, once the line stands still. */
  #held: { to: Socket; bytes: Buffer }[] | null = null;
  #request = NOTHING;

  constructor(near: Socket, stopFor: (request: string) => Stop | null) {
    this.#near = near;
    this.#stopFor = stopFor;
    near.on("error", () => {});
    near.on("close", () => this.#far?.destroy());
  }

  leadTo(target: Address): void {
    if (this.#far || this.#near.destroyed) return;
    const where = typeof target === "number" ? { port: target, host: "127.0.0.1" } : { path: target };
    const far = connect({ ...where, allowHalfOpen: true });
    this.#far = far;
    far.on("error", () => {});
    // What stands still does so whatever becomes of the server.
    far.on("close", () => this.#held || this.#near.destroySoon());
    this.#near.on("data", (bytes) => this.#asked(bytes, far));
    far.on("data", (bytes) => this.#answered(bytes));
    this.#near.on("end", () => (this.#held ? this.destroy() : far.end()));
    far.on("end", () => this.#held || this.#near.end());
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#stop = null;
    for (const { to, bytes } of held) to.write(bytes);
    if (this.#far?.readableEnded || this.#far?.destroyed) this.#near.end();
  }

  destroy(): void {
    this.#near.destroy();
    this.#far?.destroy();
  }

  #asked(bytes: Buffer, far: Socket): void {
    this.#stop ??= this.#stopFor(bytes.toString("latin1"));
    const stop = this.#held ? null : this.#stop;
    if (stop?.point.of === "request") this.#passUpTo(stop, bytes, far);
    else this.#pass(far, bytes);
  }

  #passUpTo({ point }: Stop, bytes: Buffer, far: Socket): void {
    this.#request = Buffer.concat([this.#request, bytes]);
    const isWhole = this.#request.length >= lengthOf(this.#request);
    if (point.at === "start") this.#standStill(far, bytes, 0);
    else if (isWhole) this.#standStill(far, bytes, bytes.length - 1);
    else this.#pass(far, bytes);
  }

  #answered(bytes: Buffer): void {
    const stop = this.#held ? null : this.#stop;
    // The first piece has the head and, of an answer as small as ours, all the rest.
    if (stop?.point.of === "answer")
      this.#standStill(this.#near, bytes, stop.point.at === "start" ? 0 : bytes.length - 1);
    else this.#pass(this.#near, bytes);
  }

  #pass(to: Socket, bytes: Buffer): void {
    if (this.#held) this.#held.push({ to, bytes });
    else if (bytes.length > 0) to.write(bytes);
  }

  #standStill(to: Socket, bytes: Buffer, passed: number): void {
    this.#pass(to, bytes.subarray(0, passed));
    this.#held = [{ to, bytes: bytes.subarray(passed) }];
    this.#request = NOTHING;
    this.#stop?.reached();
  }
}

/** Of an HTTP request, as its head tells; endless while that is not all there. */
function lengthOf(request: Buffer): number {
  const text = request.toString("latin1");
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return Number.POSITIVE_INFINITY;
  const [, length = "0"] = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd + 2)) ?? [];
  return headEnd + 4 + Number(length);
}
