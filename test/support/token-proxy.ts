/** Passes HTTP on with a token, for clients that send none. All else stays as it is, `Host` and `Origin` as well. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { portOf } from "./line-server.ts";

export type TokenProxy = { url: string; stop(): Promise<void> };

export async function startTokenProxy(target: { url: string; token: string }): Promise<TokenProxy> {
  const { hostname, port } = new URL(target.url);
  const server = createServer((asked, answer) => {
    const { method, url: path, rawHeaders } = asked;
    const headers = [...rawHeaders, "Authorization", `Bearer ${target.token}`];
    const far = request({ hostname, port, method, path, headers, setHost: false }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.rawHeaders);
      // A stream begins when its headers are there, not with its first event.
      answer.flushHeaders();
      answered.pipe(answer);
      answered.once("error", () => answer.destroy());
    });
    far.once("error", () => answer.destroy());
    answer.once("close", () => far.destroy());
    asked.pipe(far);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${portOf(server)}`, stop };
}
