import { HivegateError } from "../../../shared/errors.ts";
import type { Logger } from "../../log.ts";
import type { McpServerConfig } from "../server-config.ts";
import type { OpenWire } from "../wire.ts";
import { type DockerAccess, dockerExecWire } from "./docker-exec.ts";
import { httpWire } from "./http.ts";
import { stdioWire } from "./stdio.ts";
import { tcpWire } from "./tcp.ts";
import { webSocketWire } from "./web-socket.ts";

/** How a server is reached. `docker` null: no container may be. */
export function openWire(
  config: McpServerConfig,
  { docker, log }: { docker: DockerAccess | null; log: Logger },
): OpenWire {
  switch (config.type) {
    case "tcp":
      return tcpWire(config);
    case "stdio":
      return stdioWire({ ...config, log });
    case "docker-exec":
      return docker
        ? dockerExecWire({ ...config, ...docker, log })
        : () => Promise.reject(new HivegateError("container_not_allowed"));
    case "http":
      return httpWire(config);
    case "ws":
      return webSocketWire(config);
  }
}
