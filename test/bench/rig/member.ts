/** One client of many: it counts what comes, and reads no more of it than it has to. */
import type { Socket } from "node:net";
import { inflateSync } from "node:zlib";
import { WebSocket } from "ws";
import { z } from "zod";
import { readFrame } from "../../../shared/client/decode.ts";
import { LivePicture } from "../../../shared/client/live-picture.ts";
import { SUBPROTOCOL } from "../../../shared/protocol/gateway.ts";
import { HEARTBEAT } from "../../../shared/protocol/heartbeat.ts";

export const MemberOptions = z.object({
  url: z.string(),
  /** Null: the server asks for none. */
  token: z.string().nullable(),
  /** Keeps a picture, to be compared with the swarm itself. */
  isWitness: z.boolean(),
});
export type MemberOptions = z.infer<typeof MemberOptions>;

/** Where the first letter of a frame's type is, and what it is in nearly all of them: `agent_update`. */
const TYPE_AT = '{"type":"'.length;
const UPDATE = "a".charCodeAt(0);
/** What is looked at of all others; it holds type, epoch and offset. */
const HEAD_BYTES = 200;
const KIND = /^\{"type":"(\w+)"/;
const PROBE = /"probe":"([^"]+)"/;
const OFFSET = /"offset":(\d+)/;
const EPOCH = /"epoch":"([^"]+)"/;
const REVISION = /"revision":(\d+)/;

export class Member {
  readonly options: MemberOptions;
  readonly picture: LivePicture | null;
  readonly #onUpdate: (data: Buffer) => void;
  #webSocket: WebSocket | null = null;
  #socket: Socket | null = null;
  #epoch: string | null = null;
  /** The last frame of telemetry that came uncompressed. */
  #last: Buffer | null = null;
  frames = 0;
  updates = 0;
  snapshots = 0;
  /** Of the last snapshot. */
  snapshotBytes = 0;
  bytes = 0;
  probes = 0;
  isRecovered: boolean | null = null;
  /** How often it heard of another configuration, and which one was the last. */
  configChanges = 0;
  configRevision = 0;
  /** When it heard of that, by the machine's clock. */
  configChangedAtMs = 0;

  constructor(options: MemberOptions, onUpdate: (data: Buffer) => void) {
    this.options = options;
    this.#onUpdate = onUpdate;
    this.picture = options.isWitness ? new LivePicture() : null;
  }

  get isOpen(): boolean {
    return this.#webSocket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that came over this connection: WebSocket's own framing and the upgrade's answer too. */
  get wireBytes(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  /** Of the last telemetry; null: none came yet, or it was compressed. */
  get offset(): number | null {
    const [, offset] = OFFSET.exec(headOf(this.#last ?? Buffer.alloc(0))) ?? [];
    return offset === undefined ? null : Number(offset);
  }

  /** Resolves when the socket is open. `resume`: goes on from what came last. @throws when it is refused */
  async open({ resume }: { resume: boolean }): Promise<void> {
    const { url, token } = this.options;
    const address = new URL(url);
    if (resume && this.#epoch !== null) {
      address.searchParams.set("epoch", this.#epoch);
      address.searchParams.set("offset", String(this.offset));
    }
    this.isRecovered = null;
    const webSocket = new WebSocket(address, token === null ? [] : [SUBPROTOCOL, token], {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
    this.#webSocket = webSocket;
    webSocket.once("upgrade", ({ socket }) => {
      this.#socket = socket;
    });
    webSocket.on("message", (data, isBinary) => {
      if (Buffer.isBuffer(data)) this.#receive(data, isBinary);
    });
    await new Promise<void>((resolve, reject) => webSocket.once("open", resolve).on("error", reject));
  }

  heartbeat(): void {
    this.#webSocket?.send(HEARTBEAT);
  }

  /** Goes without a word, as a connection that is lost does. */
  drop(): void {
    this.#webSocket?.terminate();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.frames++;
    this.bytes += data.length;
    if (isBinary) this.#compressed(data);
    else if (data[TYPE_AT] === UPDATE) this.#updated(data);
    else this.#note(data);
    if (!this.picture) return;
    const frame = readFrame(String(isBinary ? inflateSync(data) : data));
    if (frame && this.picture.apply(frame) === "gap") throw new Error("a client saw a gap");
  }

  #updated(data: Buffer): void {
    this.updates++;
    this.#last = data;
    this.#onUpdate(data);
  }

  /** The first is the snapshot, without which nothing else can come. */
  #compressed(data: Buffer): void {
    if (this.snapshots > 0) this.updates++;
    else {
      this.snapshots++;
      this.snapshotBytes = data.length;
    }
  }

  /** Anything but an update. */
  #note(data: Buffer): void {
    const head = headOf(data);
    switch (KIND.exec(head)?.[1]) {
      case "probe":
        this.probes++;
        this.#webSocket?.send(JSON.stringify({ type: "ack", probe: PROBE.exec(head)?.[1] }));
        break;
      case "snapshot":
        this.snapshots++;
        this.snapshotBytes = data.length;
        this.#epoch = EPOCH.exec(head)?.[1] ?? null;
        this.#last = data;
        break;
      case "config_changed":
        this.configChanges++;
        this.configRevision = Number(REVISION.exec(String(data))?.[1]);
        this.configChangedAtMs = Date.now();
        break;
      case "resumed":
        this.isRecovered = head.includes('"recovered":true');
        break;
    }
  }
}

const headOf = (data: Buffer): string => data.toString("latin1", 0, HEAD_BYTES);
