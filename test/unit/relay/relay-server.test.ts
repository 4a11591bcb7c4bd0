import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { BatchWriter, encodeHello } from "../../../shared/relay/batch.ts";
import { LINK_PATH } from "../../../shared/relay/records.ts";
import { RelayAudit } from "../../../sidecar/relay/audit.ts";
import { RelayMetrics } from "../../../sidecar/relay/metrics.ts";
import { Orchestrators } from "../../../sidecar/relay/orchestrators.ts";
import { RelayServer } from "../../../sidecar/relay/relay-server.ts";
import type { RelaySession } from "../../../sidecar/relay/session.ts";
import { portOf } from "../../support/line-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { scratchDirectory, silentLog } from "../sidecar/fakes.ts";
import { RULES } from "./upstream-setup.ts";

/** Keeps what sessions say instead of passing it on. */
class DeafOrchestrators extends Orchestrators {
  readonly heard: string[] = [];

  override join(session: RelaySession): void {
    session.upstream = {
      send: (_, { data }) => void this.heard.push(String(data)),
      drained: () => {},
      leave: () => {},
      declined: () => {},
    };
  }
}

async function start(isSigned = true) {
  const clock = new ManualClock();
  const metrics = new RelayMetrics();
  const file = `${scratchDirectory()}/audit.jsonl`;
  const audit = new RelayAudit({ file, withContent: false, now: () => 0, metrics, log: silentLog });
  const breakers = { load: () => null, save: () => {} };
  const orchestrators = new DeafOrchestrators({
    ...{ urls: ["ws://h/"], metrics, audit, rules: RULES, breakers, clock, random: () => 0, log: silentLog },
  });
  const checkUpgrade = async () => {
    if (!isSigned) throw new HivegateError("unauthorized");
  };
  const relay = new RelayServer({ orchestrators, checkUpgrade, clock, metrics, audit, log: silentLog });
  const http = createServer();
  http.on("upgrade", (request, socket, head) => void relay.upgrade(request, socket, head));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  onTestFinished(async () => {
    await relay.close();
    http.close();
  });
  return { port: portOf(http), orchestrators, clock, metrics };
}

/** A gateway's socket, and what came over it. */
class Dialled {
  readonly socket: WebSocket;
  readonly got: Buffer[] = [];
  tcp: Socket | null = null;

  constructor(port: number, link: string) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${LINK_PATH}?link=${link}`);
    this.socket.once("upgrade", (response) => {
      this.tcp = response.socket;
    });
    this.socket.on("message", (data: Buffer) => this.got.push(data));
    onTestFinished(() => this.socket.terminate());
  }

  /** What the sidecar said first. */
  async greeting(): Promise<unknown> {
    await vi.waitUntil(() => this.got.length > 0);
    return JSON.parse(String(this.got[0]).slice(1));
  }
}

async function dial(port: number, link = "a"): Promise<Dialled> {
  const dialled = new Dialled(port, link);
  await dialled.greeting();
  return dialled;
}

const hello = (instance: string) => encodeHello({ instance, peer: null, received: 0 });

/** A gateway's batch of this number: a session's opening, and what it says. */
function saying(text: string, number: number): Uint8Array {
  const writer = new BatchWriter();
  const client = { id: "c", subject: "s", role: "operator" };
  writer.add({ type: "open", channel: number, mode: "shared", client });
  writer.add({ type: "message", channel: number, data: text, urgent: false });
  return writer.take(number, 0);
}

describe("the sidecar's end of the relay's links", () => {
  it("S6 lets go of an upgrade that it refused, whether or not the other side does", async () => {
    const { port } = await start(false);
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const head = ["Connection: Upgrade", "Upgrade: websocket", "Host: h"].join("\r\n");
    socket.write(`GET ${LINK_PATH}?link=a HTTP/1.1\r\n${head}\r\n\r\n`);
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    await once(socket, "end");
    expect(answer).toMatch(/^HTTP\/1\.1 401 unauthorized\r\n/);
    let isOver = false;
    socket.on("error", () => {
      isOver = true;
    });
    await vi.waitUntil(() => {
      // Only a socket that is gone answers this by a reset.
      if (!isOver) socket.write("x");
      return isOver;
    }, 2_000);
  });

  it("R4 hears nothing more of a socket in whose place another one came", async () => {
    const { port, orchestrators } = await start();
    const old = await dial(port);
    old.socket.send(hello("before"));
    // The other side does not hear that it was closed.
    old.tcp?.pause();
    const next = await dial(port);
    next.socket.send(hello("after"));
    next.socket.send(saying("of the new one", 1));
    await vi.waitUntil(() => orchestrators.heard.length > 0);
    old.socket.send(saying("of the old one", 2));
    old.tcp?.resume();
    // The sidecar has read by now what was said before.
    await once(old.socket, "close");
    expect(orchestrators.heard).toEqual(["of the new one"]);
  });

  it("S6 makes room for a new link where one was down for longest", async () => {
    const { port, clock, metrics } = await start();
    const links = await Promise.all(
      Array.from({ length: LIMITS.relayLinks }, (_, n) => dial(port, `link-${n}`)),
    );
    for (const { socket } of links) {
      socket.send(hello("i"));
      socket.send(saying("there is something to come back to", 1));
    }
    await vi.waitUntil(() => metrics.sessions.shared === LIMITS.relayLinks);
    for (const { socket } of [links[3], links[1]].filter((link) => link !== undefined)) {
      socket.close();
      await once(socket, "close");
      clock.advance(1_000);
    }
    await dial(port, "new");
    // The one that was down for less time is still there: who comes back to it goes on.
    const back = await dial(port, "link-1");
    expect(await back.greeting()).toMatchObject({ peer: "i", received: 1 });
  });
});
