import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the range from which systems take ports for connections, so that none takes it before it is used. */
const FROM = 20_000;
const TO = 32_000;

/** A port of this host that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FROM, TO);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
