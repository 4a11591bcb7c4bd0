/** A way to a TCP server that breaks at one step of one request, when a test says so. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { portOf } from "./line-server.ts";

/** The request never arrives; or it does, and its answer never comes back: cut then, or so many ms after the request. */
export type Step = "request" | "answer" | number;

export type Cutter = {
  port: number;
  /**
   * The next request that begins like this is let through up to this step. Then `meanwhile` is done, and the
   * connection breaks. Resolves when it has.
   */
  cutAt(step: Step, request: string, meanwhile: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
};

type Plan = {
  step: Step;
  request: string;
  meanwhile: () => Promise<unknown>;
  done(): void;
  failed(e: unknown): void;
};

export async function startCutter(toPort: number): Promise<Cutter> {
  const sockets = new Set<Socket>();
  let plan: Plan | null = null;

  const server = createServer((near) => {
    const far = connect(toPort, "127.0.0.1");
    /** The plan that this connection's request was meant by. */
    let meant: Plan | null = null;
    let isCut = false;
    const breakOff = () => {
      near.destroy();
      far.destroy();
    };
    const cut = ({ meanwhile, done, failed }: Plan) => {
      if (isCut) return;
      isCut = true;
      meanwhile().then(done, failed).finally(breakOff);
    };
    near.on("data", (chunk) => {
      if (isCut) return;
      if (plan && chunk.toString("latin1").startsWith(plan.request)) {
        meant = plan;
        plan = null;
        const { step } = meant;
        if (step === "request") return cut(meant);
        if (step !== "answer") setTimeout(cut, step, meant);
      }
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (isCut) return;
      if (meant) cut(meant);
      else near.write(chunk);
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        // Whoever was killed on purpose takes its connection along; the plan goes on all the same.
        if (!isCut) breakOff();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    cutAt(step, request, meanwhile) {
      return new Promise((done, failed) => {
        plan = { step, request, meanwhile, done, failed };
      });
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
