import { WebSocket } from "ws";
import { z } from "zod";

const Message = z.object({
  id: z.number().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ message: z.string() }).optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  sessionId: z.string().optional(),
});

export type DevToolsEvent = { method: string; params: Record<string, unknown>; sessionId: string | null };

const ANSWER_WITHIN_MS = 30_000;

/** One connection to a browser's DevTools: commands, and the events that it tells of. */
export class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(e: Error): void }
  >();
  readonly #listeners = new Set<(event: DevToolsEvent) => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#receive(Message.parse(JSON.parse(String(data)))));
  }

  static async connect(address: string): Promise<DevTools> {
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return new DevTools(socket);
  }

  /** The command's result. `sessionId` is the page's, if it concerns one. */
  call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_WITHIN_MS);
      this.#waiting.set(id, {
        resolve: (result) => {
          clearTimeout(limit);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(limit);
          reject(error);
        },
      });
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    });
  }

  onEvent(listener: (event: DevToolsEvent) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(message: z.infer<typeof Message>): void {
    if (message.id === undefined) {
      const { method = "", params = {}, sessionId = null } = message;
      for (const listener of this.#listeners) listener({ method, params, sessionId });
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) waiting?.reject(new Error(message.error.message));
    else waiting?.resolve(message.result ?? {});
  }
}
