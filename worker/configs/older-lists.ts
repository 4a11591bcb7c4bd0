/**
 * What servers offer, in the older system's answers: what a client may not use does not exist for it, as everywhere. Names of servers
 * are shown to whoever may read configurations.
 */
import { z } from "zod";
import type { Access } from "../mcp/access.ts";

/** An answer of the sidecar's with what this client may use of it. @throws ZodError */
export type Showing = (answer: unknown, access: Access) => unknown;

export async function shownTo(answer: Response, shows: Showing, access: Access): Promise<Response> {
  if (!answer.ok || access.all) return answer;
  const { status } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify(shows(await answer.json(), access)), { status, headers });
}

const showing =
  <T>(schema: z.ZodType<T>, show: (answer: T, access: Access) => T): Showing =>
  (answer, access) =>
    show(schema.parse(answer), access);

const discovered = z.array(z.string()).nullable();
const State = z.looseObject({
  name: z.string(),
  tools_discovered: discovered,
  resources_discovered: discovered,
});

function stateFor(state: z.infer<typeof State>, access: Access): z.infer<typeof State> {
  const { name, tools_discovered, resources_discovered } = state;
  return {
    ...state,
    tools_discovered: tools_discovered?.filter((tool) => access.tool(name, tool)) ?? null,
    resources_discovered: resources_discovered && (access.resources(name) ? resources_discovered : []),
  };
}

export const oneState = showing(State, stateFor);

export const states = showing(z.looseObject({ servers: z.array(State) }), ({ servers, ...rest }, access) => ({
  ...rest,
  servers: servers.map((state) => stateFor(state, access)),
}));

export const toolsOfServer = showing(
  z.looseObject({ server_name: z.string(), tools: z.array(z.looseObject({ name: z.string() })) }),
  (answer, access) => {
    const tools = answer.tools.filter(({ name }) => access.tool(answer.server_name, name));
    return { ...answer, tools, total: tools.length };
  },
);

export const resourcesOfServer = showing(
  z.looseObject({ server_name: z.string(), resources: z.array(z.unknown()) }),
  (answer, access) => {
    const resources = access.resources(answer.server_name) ? answer.resources : [];
    return { ...answer, resources, total: resources.length };
  },
);

export const toolsOfAgent = showing(
  z.looseObject({ tools: z.array(z.looseObject({ tool_name: z.string(), server_name: z.string() })) }),
  (answer, access) => {
    const tools = answer.tools.filter(({ server_name, tool_name }) => access.tool(server_name, tool_name));
    return { ...answer, tools, total: tools.length };
  },
);
