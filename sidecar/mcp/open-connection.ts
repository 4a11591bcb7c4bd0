/** The connection to a server as it is configured. */
import { LIMITS } from "../../shared/limits.ts";
import type { BreakerRules, BreakerState } from "../../shared/pressure/breaker.ts";
import type { Logger } from "../log.ts";
import { McpConnection } from "./connection.ts";
import type { MakeConnection } from "./live-connection.ts";
import { type McpServerConfig, placeOf } from "./server-config.ts";
import type { Era } from "./upstream.ts";
import type { DockerAccess } from "./wires/docker-exec.ts";
import { openWire } from "./wires/open-wire.ts";

/** Where the states of circuit breakers outlive a restart. */
export type BreakerStore = {
  /** What was saved last under this name; null when there is nothing. */
  load(name: string): unknown;
  save(name: string, state: BreakerState): void;
};

export type ConnectionPorts = {
  callTimeoutMs: number;
  rules: BreakerRules;
  breakers: BreakerStore & { forget(name: string): void };
  /** For servers in containers; without it none of them can be reached. */
  docker?: DockerAccess;
  log: Logger;
  /** Whole milliseconds since the epoch. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
};

/** What its circuit breaker is known by: a server that was moved is not the one that failed before. */
export const breakerNameOf = (config: McpServerConfig): string => `mcp:${config.name}@${placeOf(config)}`;

export function connectionTo(config: McpServerConfig, ports: ConnectionPorts): MakeConnection {
  const { rules, breakers, docker, ...options } = ports;
  const breakerName = breakerNameOf(config);
  return (before) =>
    new McpConnection({
      name: config.name,
      wire: openWire(config, { docker: docker ?? null, log: options.log }),
      token: config.type === "tcp" ? (config.token ?? null) : null,
      era: greetedFirst(config),
      connectTimeoutMs: isProcess(config) ? LIMITS.mcpStartTimeoutMs : LIMITS.mcpConnectTimeoutMs,
      breaker: {
        rules,
        saved: breakers.load(breakerName),
        save: (state) => breakers.save(breakerName, state),
      },
      before,
      ...options,
    });
}

const isProcess = ({ type }: McpServerConfig): boolean => type === "stdio" || type === "docker-exec";

/** Swarms that we know, and whatever is behind a bare port, are older than 2026 and take questions they do not know ill. */
const greetedFirst = ({ type, profile = "generic" }: McpServerConfig): Era =>
  type === "tcp" || profile !== "generic" ? "2025" : "2026";
