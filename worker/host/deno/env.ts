/** The gateway's settings on Deno, from environment variables. */
import { z } from "zod";
import { ConfigError, GATEWAY_VARIABLES, type GatewayConfig, readConfig } from "../../config.ts";

export type Settings = { gateway: GatewayConfig; host: string; port: number; stateDir: string };

const Own = z.object({
  HOST: z.string().default("127.0.0.1"),
  /** 0 lets the system choose. */
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, "has to be a port")
    .transform(Number)
    .refine((port) => port <= 65_535, "has to be a port")
    .default(8787),
  /** What has to survive a restart is kept here. */
  GATEWAY_STATE_DIR: z.string().default(".hivegate/gateway"),
});

/** A variable that is empty counts as not set. @throws ConfigError with one line that names the variable */
export function readSettings(variable: (name: string) => string | undefined): Settings {
  const read = (names: string[]) =>
    Object.fromEntries(names.map((name) => [name, variable(name) || undefined]));
  const gateway = readConfig(read([...GATEWAY_VARIABLES]));
  const own = Own.safeParse(read(Object.keys(Own.shape)));
  if (!own.success) {
    const issue = own.error.issues[0];
    throw new ConfigError(`${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { HOST: host, PORT: port, GATEWAY_STATE_DIR: stateDir } = own.data;
  return { gateway, host, port, stateDir };
}
