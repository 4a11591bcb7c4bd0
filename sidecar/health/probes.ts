/** One real look at each kind of service. Each resolves when the service is well, and rejects otherwise. */
import { connect } from "node:net";
import { request } from "undici";
import WebSocket from "ws";

export type Probe = (signal: AbortSignal) => Promise<void>;

/** Somebody accepts connections at this TCP port. */
export const tcpProbe =
  (host: string, port: number): Probe =>
  (signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, signal });
      socket.on("error", reject);
      socket.on("connect", () => {
        resolve();
        socket.destroy();
      });
    });

/** The WebSocket handshake succeeds at this URL, with this token if one is wanted there. */
export const webSocketProbe =
  (url: string, token: string | null): Probe =>
  (signal) =>
    new Promise((resolve, reject) => {
      const headers = token === null ? {} : { authorization: `Bearer ${token}` };
      const socket = new WebSocket(url, { perMessageDeflate: false, headers });
      // Also ends a connection whose other side does not answer our goodbye.
      const giveUp = () => socket.terminate();
      signal.addEventListener("abort", giveUp, { once: true });
      socket.on("error", reject);
      socket.on("open", () => {
        resolve();
        socket.close();
      });
      socket.on("close", () => signal.removeEventListener("abort", giveUp));
    });

/** A GET of this URL is answered with a status of 200 to 299. */
export const httpProbe =
  (url: string): Probe =>
  async (signal) => {
    const { statusCode, body } = await request(url, { signal, reset: true });
    await body.dump();
    if (statusCode < 200 || statusCode > 299) throw new Error(`the status is ${statusCode}`);
  };
