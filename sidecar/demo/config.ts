import { z } from "zod";

const port = (fallback: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, "must be a port number")
    .transform(Number)
    .refine((value) => value <= 65_535, "must be a port number, at most 65535")
    .default(fallback);

/**
 * The daemon's and the CLI's environment. Port 0 lets the system choose. An empty DEMO_TOKEN is refused
 * rather than taken as "no authentication".
 */
const Environment = z.object({
  DEMO_HOST: z.string().min(1, "must be a host name or an address").default("127.0.0.1"),
  DEMO_MCP_PORT: port(9500),
  DEMO_WS_PORT: port(3002),
  DEMO_HEALTH_PORT: port(9501),
  DEMO_TOKEN: z.string().min(1, "is empty: unset it, or give it a token").optional(),
  DEMO_LINGER_MS: z
    .string()
    .regex(/^\d{1,8}$/, "must be a number of milliseconds")
    .transform(Number)
    .default(30_000),
});

export type DemoConfig = {
  host: string;
  mcpPort: number;
  wsPort: number;
  healthPort: number;
  /** Null: clients need not prove who they are. */
  token: string | null;
  /** How long the agents of an ended swarm stay listed. */
  lingerMs: number;
};

/** What ends the program with one line on stderr and exit code 1: a bad variable, a busy port. */
export class StartError extends Error {}

/** @throws StartError with one line that names the variable */
export function readConfig(env: Record<string, string | undefined>): DemoConfig {
  const parsed = Environment.safeParse(env);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new StartError(`${issue?.path.join(".")} ${issue?.message}`);
  }
  const { data } = parsed;
  return {
    host: data.DEMO_HOST,
    mcpPort: data.DEMO_MCP_PORT,
    wsPort: data.DEMO_WS_PORT,
    healthPort: data.DEMO_HEALTH_PORT,
    token: data.DEMO_TOKEN ?? null,
    lingerMs: data.DEMO_LINGER_MS,
  };
}
