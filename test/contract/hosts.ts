/** The same tests for every host: each gets a gateway in a process of its own, before one fake sidecar. */
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";
import type { Identity } from "../../shared/auth/permission.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { FakeSidecar } from "../support/fake-sidecar-server.ts";
import { type GatewayOptions, type RunningGateway, startGateway } from "../support/gateway.ts";
import { type Client, type ConnectOptions, connect } from "./client.ts";

export type Host = { name: string; start(options: GatewayOptions): Promise<RunningGateway> };

const HOSTS: Host[] = [
  { name: "workerd", start: startGateway },
  { name: "deno", start: startDenoGateway },
];

export type Contract = {
  sidecar: FakeSidecar;
  /** The running one. */
  gateway(): RunningGateway;
  /** A client with a token of `identity`, or with this `token`. Hangs up when the test is over. */
  connect(options?: Partial<ConnectOptions> & { identity?: Partial<Identity> }): Promise<Client>;
};

export function onEveryHost(
  promise: string,
  tests: (contract: Contract, host: Host) => void,
  settings: Pick<GatewayOptions, "env"> = {},
): void {
  describe.each(HOSTS)(`${promise}, on $name`, (host) => {
    const sidecar = new FakeSidecar();
    const clients: Client[] = [];
    let gateway: RunningGateway;

    beforeAll(async () => {
      await sidecar.start();
      gateway = await host.start({ sidecarUrl: sidecar.url, keys: sidecar.keys, ...settings });
    });
    afterAll(async () => {
      // Asked politely, workerd would wait for connections that are kept alive.
      await gateway.kill("SIGKILL");
      await sidecar.stop();
    });
    beforeEach(() => sidecar.reset());
    afterEach(async () => {
      const all = clients.splice(0);
      for (const client of all) client.close();
      await Promise.all(all.map(({ closed }) => closed));
    });

    const contract: Contract = {
      sidecar,
      gateway: () => gateway,
      async connect({ identity, ...options } = {}) {
        const token = await gateway.token(identity);
        const client = await connect(gateway.url, { token, ...options });
        clients.push(client);
        return client;
      },
    };
    tests(contract, host);
  });
}
