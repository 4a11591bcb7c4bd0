import type { McpServerConfig } from "../server-config.ts";
import type { OpenWire } from "../wire.ts";
import { tcpWire } from "./tcp.ts";

/** How a server is reached. */
export function openWire(config: McpServerConfig): OpenWire {
  switch (config.type) {
    case "tcp":
      return tcpWire(config);
    default:
      throw new Error(`servers of the type ${config.type} cannot be reached yet`);
  }
}
