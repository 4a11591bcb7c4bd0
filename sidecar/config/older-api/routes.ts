/** The endpoints of the older system, on top of what there is now: its clients go on as before. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { BadBody, readFastApiBody } from "../../../shared/wire/fastapi-body.ts";
import type { Signed } from "../../http/authenticate.ts";
import { Configure, ServerCreate, ServerUpdate } from "./bodies.ts";
import { type Asker, type OlderPorts, OlderServers } from "./older-servers.ts";
import { resourcesOf, toolsOf } from "./state.ts";
import { configured, created, updated } from "./values.ts";

const PATH = "/api/v1/mcp";

export function olderRoutes(app: Hono<Signed>, ports: OlderPorts & { now(): number }): void {
  const servers = new OlderServers(ports);
  const older = new Hono<Signed>();
  const listed = (names: string[]) => ({
    servers: names.map((name) => servers.state(name)),
    total: names.length,
  });

  older.get("/health", async (c) => c.json(await servers.health(asker(c), ports.now())));
  older.post("/configure", async (c) => {
    const { mcpServers } = readFastApiBody(Configure, c.get("body"));
    const values = new Map(Object.entries(mcpServers).map(([name, entry]) => [name, configured(entry)]));
    await servers.configure(asker(c), values);
    return c.json(listed([...values.keys()]));
  });

  older.get("/servers", async (c) => c.json(listed(await servers.names(asker(c)))));
  older.post("/servers", async (c) => {
    const body = readFastApiBody(ServerCreate, c.get("body"));
    await servers.create(asker(c), body.name, created(body));
    return c.json(servers.state(body.name));
  });
  older.get("/servers/:name", async (c) => {
    const { name } = await servers.find(asker(c), c.req.param("name"));
    return c.json(servers.state(name));
  });
  older.put("/servers/:name", async (c) => {
    const name = c.req.param("name");
    const said = readFastApiBody(ServerUpdate, c.get("body"));
    await servers.change(asker(c), name, (value) => updated(value, said));
    return c.json(servers.state(name));
  });
  older.delete("/servers/:name", async (c) => {
    const name = c.req.param("name");
    await servers.remove(asker(c), name);
    return c.json(done(`Server ${name} deleted successfully`));
  });

  older.post("/servers/:name/start", async (c) => {
    const name = c.req.param("name");
    await servers.start(asker(c), name, "start");
    return c.json(done(`Server ${name} started successfully`));
  });
  older.post("/servers/:name/stop", async (c) => {
    const name = c.req.param("name");
    await servers.change(asker(c), name, (value) => ({ ...value, enabled: false }));
    return c.json(done(`Server ${name} stopped successfully`));
  });
  older.post("/servers/:name/restart", async (c) => {
    const name = c.req.param("name");
    await servers.start(asker(c), name, "restart");
    return c.json(done(`Server ${name} restarted successfully`));
  });

  older.get("/servers/:name/tools", async (c) => {
    const { name } = await servers.find(asker(c), c.req.param("name"));
    const tools = toolsOf(name, await servers.offer(name));
    return c.json({ server_name: name, tools, total: tools.length });
  });
  older.get("/servers/:name/resources", async (c) => {
    const { name } = await servers.find(asker(c), c.req.param("name"));
    const resources = resourcesOf(name, await servers.offer(name));
    return c.json({ server_name: name, resources, total: resources.length });
  });

  older.get("/agents/:agent/servers", async (c) =>
    c.json(listed(await servers.namesOfAgent(asker(c), c.req.param("agent")))),
  );
  older.get("/agents/:agent/tools", async (c) => {
    const agent_name = c.req.param("agent");
    const names = await servers.namesOfAgent(asker(c), agent_name);
    const offered = await Promise.all(names.map(async (name) => toolsOf(name, await servers.offer(name))));
    const tools = offered.flat().map(({ name: tool_name, ...tool }) => ({ ...tool, tool_name }));
    return c.json({ agent_name, tools, total: tools.length, servers: names });
  });
  older.post("/agents/:agent/servers/:name", async (c) => {
    const { agent, name } = c.req.param();
    await servers.change(asker(c), name, (value) => ({
      ...value,
      agent_names: [...new Set([...value.agent_names, agent])],
    }));
    return c.json(done(`Server ${name} assigned to agent ${agent} successfully`));
  });
  older.delete("/agents/:agent/servers/:name", async (c) => {
    const { agent, name } = c.req.param();
    await servers.change(asker(c), name, (value) => {
      if (!value.agent_names.includes(agent))
        throw new HivegateError("unknown_server", `Server ${name} is not assigned to agent ${agent}`);
      return { ...value, agent_names: value.agent_names.filter((other) => other !== agent) };
    });
    return c.json(done(`Server ${name} removed from agent ${agent} successfully`));
  });

  older.onError((thrown, c) => {
    if (thrown instanceof BadBody) return c.json({ detail: thrown.detail }, 422);
    const error = asHivegateError(thrown);
    if (error.code === "internal") ports.log.error({ err: thrown, path: c.req.path }, "request failed");
    else ports.log.debug({ err: error, path: c.req.path }, "request refused");
    // What could not be configured was refused with 400; 422 is for bodies of another shape.
    return c.json({ detail: error.message }, error.code === "config_invalid" ? 400 : error.httpStatus);
  });
  app.route(PATH, older);
}

const done = (message: string) => ({ status: "success", message });

/** What the gateway adds. */
const Who = z.object({ by: z.string().max(300).catch("unknown"), client: z.string().max(300).catch("") });

function asker(c: Context<Signed>): Asker {
  const { by, client } = Who.parse(c.req.query());
  return { author: { by, source: "old" }, client };
}
