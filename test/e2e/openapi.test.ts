import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { OPERATIONS } from "../../worker/openapi/document.ts";
import { isMedia, type Operation } from "../../worker/openapi/operation.ts";
import { type System, startSystem } from "../support/system.ts";

let system: System;
let headers: Record<string, string>;
const parameters: Record<string, string> = {
  ...{ hive: "default", server: "demo", name: "demo", agent: "ada" },
};

/** Those that need something to be there which nothing here makes. */
const LEFT_OUT = ["/v1/hives/:hive/tools/streams/:id"];

beforeAll(async () => {
  system = await startSystem();
  headers = { authorization: `Bearer ${await system.gateway.token()}` };
  const answer = await ask("/v1/hives/default/tasks", { task: "count primes below 1000" });
  parameters.id = z.object({ taskId: z.string() }).parse(await answer.json()).taskId;
});
afterAll(() => system.stop());

const ask = (path: string, body?: object): Promise<Response> =>
  fetch(`${system.gateway.url}${path}`, {
    headers: { ...headers, ...(body && { "content-type": "application/json" }) },
    ...(body && { method: "POST", body: JSON.stringify(body) }),
  });

/** Without what it may leave out. */
const shapeOf = ({ answers }: Operation, status: number) => {
  const content = answers[status];
  return content && !isMedia(content) ? content : null;
};

it("U5 answers every question as the document says, by a real gateway and sidecar", async () => {
  const questions = OPERATIONS.filter(
    (operation) =>
      operation.method === "get" && shapeOf(operation, 200) && !LEFT_OUT.includes(operation.path),
  );
  expect(questions.length).toBeGreaterThan(25);
  for (const operation of questions) {
    const path = operation.path.replace(/:(\w+)/g, (_, name: string) => parameters[name] ?? name);
    const answer = await ask(path);
    const body: unknown = await answer.json();
    const parsed = shapeOf(operation, answer.status)?.safeParse(body);
    expect(
      parsed?.error,
      `GET ${path}: ${answer.status} ${JSON.stringify(body).slice(0, 500)}`,
    ).toBeUndefined();
    expect(parsed, `GET ${path}: ${answer.status}`).toBeDefined();
  }
});

it("U5 refuses as the document says, whatever is asked without a token", async () => {
  const refusal = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() });
  const older = z.object({ detail: z.string() });
  for (const { method, path, needs, tag } of OPERATIONS) {
    if (needs === null || path.startsWith("/mcp") || tag === "Sessions") continue;
    const url = `${system.gateway.url}${path.replace(/:(\w+)/g, (_, name: string) => parameters[name] ?? name)}`;
    const answer = await fetch(url, { method: method.toUpperCase() });
    const body: unknown = await answer.json();
    expect([method, path, answer.status]).toEqual([method, path, 401]);
    expect((tag === "Older configuration" ? older : refusal).safeParse(body).error, path).toBeUndefined();
  }
});
