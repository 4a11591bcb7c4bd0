/** The runtimes that the gateway runs on, and on each the least that a server can do. */
import { startDenoGateway } from "../../support/deno-gateway.ts";
import { startGateway } from "../../support/gateway.ts";
import { startOnDeno, startOnWorkerd } from "./bare-server.ts";

export const HOSTS = {
  workerd: {
    gateway: startGateway,
    floor: () => startOnWorkerd(new URL("./floor-worker.js", import.meta.url)),
  },
  deno: {
    gateway: startDenoGateway,
    floor: () => startOnDeno(new URL("./floor-deno.js", import.meta.url)),
  },
};
export type HostName = keyof typeof HOSTS;
export const HOST_NAMES: readonly HostName[] = ["workerd", "deno"];
