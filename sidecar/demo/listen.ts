import type { AddressInfo, Server } from "node:net";
import { StartError } from "./config.ts";

/**
 * Listens, and answers with the port: the system's choice when 0 was asked for. `variable` names the setting.
 * @throws StartError with one line that says what to change
 */
export function listen(server: Server, host: string, port: number, variable: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new StartError(explain(error, host, port, variable), { cause: error }));
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      server.on("error", (error) => console.error(`${variable}: ${error.message}`));
      resolve(portOf(server.address()));
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number, variable: string): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} is in use: end what uses it, or set ${variable} to another port`;
    case "EACCES":
      return `port ${port} may not be used by this user: set ${variable} to one above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `DEMO_HOST ${host} is not an address of this machine`;
    default:
      return `cannot listen on port ${port} (${variable}): ${error.message}`;
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("not listening on a TCP port");
  return address.port;
}
