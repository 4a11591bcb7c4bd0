import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** What each folder may import, longest prefix first. `npm:` stands for packages, `node:` for Node's own. */
const ARROWS: [folder: string, may: RegExp][] = [
  ["shared/client/", /^(shared\/|npm:zod$)/],
  ["shared/", /^(shared\/(?!client\/)|npm:(zod|jose)$)/],
  ["worker/host/digests.ts", /^(shared\/|node:crypto$)/],
  ["worker/host/cloudflare/", /^(shared\/|worker\/|cloudflare:|node:zlib$|npm:(zod|hono)(\/|$))/],
  [
    "worker/host/deno/",
    /^(shared\/|worker\/(?!host\/cloudflare\/)|node:(fs|path|sqlite|v8|zlib)$|npm:(zod|hono|ws)(\/|$))/,
  ],
  ["worker/page/build.ts", /^(node:|npm:esbuild$)/],
  ["worker/page/", /^(shared\/|worker\/page\/)/],
  ["worker/index.ts", /^(shared\/|worker\/|cloudflare:)/],
  ["worker/", /^(shared\/|worker\/(?!host\/|page\/)|npm:(zod|hono)(\/|$))/],
  ["sidecar/demo/", /^(shared\/|sidecar\/demo\/|node:|npm:(zod|ws)$)/],
  ["sidecar/cli/", /^(shared\/|sidecar\/|package\.json$|node:|npm:)/],
  ["sidecar/start-sidecar.ts", /^(shared\/|sidecar\/|package\.json$|node:|npm:)/],
  ["sidecar/", /^(shared\/|sidecar\/|node:|npm:)/],
];

describe("the layout's arrows", () => {
  const files = ["shared", "worker", "sidecar"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
      .map((file) => join(folder, file)),
  );

  it("Q3 nothing in shared/, worker/ or sidecar/ imports what it may not", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => !ruleFor(file).test(target))
        .map((target) => `${file} → ${target}`),
    );
    expect(files.length).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
  });

  it("Q3 sees an arrow that points back", () => {
    expect(ruleFor("shared/errors.ts").test("worker/app.ts")).toBe(false);
    expect(ruleFor("shared/errors.ts").test("node:fs")).toBe(false);
    expect(ruleFor("worker/app.ts").test("worker/host/cloudflare/env.ts")).toBe(false);
    expect(ruleFor("worker/app.ts").test("worker/host/deno/env.ts")).toBe(false);
    expect(ruleFor("worker/app.ts").test("sidecar/main.ts")).toBe(false);
    expect(ruleFor("worker/host/deno/main.ts").test("worker/host/cloudflare/env.ts")).toBe(false);
    expect(ruleFor("sidecar/main.ts").test("package.json")).toBe(false);
  });
});

function ruleFor(file: string): RegExp {
  const rule = ARROWS.find(([folder]) => file.startsWith(folder));
  if (!rule) throw new Error(`no rule for ${file}`);
  return rule[1];
}

/** Imported modules: our own as paths from the root, Node's and the runtime's as they are, packages as `npm:`. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), "utf8");
  const statement =
    /^(?:import|export)\s[^"';]*\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  const specifiers = [...source.matchAll(statement)];
  return specifiers.map(([, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? "";
    if (specifier.startsWith(".")) return relative(ROOT, normalize(join(ROOT, dirname(file), specifier)));
    return /^(node|cloudflare):/.test(specifier) ? specifier : `npm:${specifier}`;
  });
}
