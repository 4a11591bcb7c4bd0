import { expect, it, onTestFinished } from "vitest";
import { BREAKER_RULES } from "../../../shared/pressure/breaker.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";
import { McpServers } from "../../../sidecar/mcp/servers.ts";
import { Sources } from "../../../sidecar/telemetry/sources.ts";
import { mcpServer, startLineServer } from "../../support/line-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

it("S6 a server is asked when it tells of a change, not for what it says beside its work", async () => {
  let polls = 0;
  const server = await startLineServer(
    mcpServer({
      agent_list: (_args, reply) => {
        polls++;
        reply({ agents: [] });
      },
    }),
  );
  const { log } = recordingLog();
  const clock = new ManualClock();
  const servers = new McpServers(
    McpServerConfigs.parse([{ name: "g", profile: "generic", host: "127.0.0.1", port: server.port }]),
    {
      ...{
        callTimeoutMs: 5_000,
        rules: BREAKER_RULES,
        breakers: { load: () => null, save: () => {}, forget: () => {} },
      },
      ...{ log, now: () => clock.now(), random: () => 0 },
    },
  );
  onTestFinished(() => servers.close());
  const sources = new Sources({ timeoutMs: 5_000, log, clock });
  sources.follow(servers.pools());
  const [source] = sources.all;
  const told = new Promise((resolve) => source?.telemetry.watch(10_000, resolve));
  clock.advance(0);
  await told;
  /** Everything said so far has been heard, and what it leads to has reached the server. */
  const afterAll = async () => {
    for (let n = 0; n < 2; n++) {
      await servers.primary()?.connection.ping();
      clock.advance(1_000);
    }
    await servers.primary()?.connection.ping();
    return polls;
  };
  const says = (method: string) => {
    for (const client of server.clients) client.send({ jsonrpc: "2.0", method });
  };
  for (const beside of ["message", "progress", "cancelled"]) says(`notifications/${beside}`);
  expect(await afterAll()).toBe(1);
  says("notifications/agents/changed");
  expect(await afterAll()).toBe(2);
});
