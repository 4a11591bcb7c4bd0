/** Makes the page one file: `node worker/page/build.ts` writes dist/index.html, with script and style inside. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const HERE = new URL(".", import.meta.url);
const STYLE_TAG = '<link rel="stylesheet" href="style.css">';
const SCRIPT_TAG = '<script type="module" src="main.ts"></script>';

/** The page's HTML. Throws when a source is missing or does not compile. */
export async function buildPage(): Promise<string> {
  const [html, style, script] = await Promise.all([
    readFile(new URL("index.html", HERE), "utf8"),
    bundle("style.css"),
    bundle("main.ts"),
  ]);
  const styled = replaceOnce(html, STYLE_TAG, `<style>${style.replace(/<\/style/gi, "<\\/style")}</style>`);
  return replaceOnce(styled, SCRIPT_TAG, `<script type="module">${scriptSafe(script)}</script>`);
}

async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [new URL(entry, HERE).pathname],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    logLevel: "silent",
  });
  return (result.outputFiles[0]?.text ?? "").trim();
}

/** Inside a script element only these two sequences could end it, or change how its end is found. */
export const scriptSafe = (script: string): string =>
  script.replace(/<\/script/gi, (tag) => `<\\/${tag.slice(2)}`).replace(/<!--/g, "<\\!--");

/** By a function, so that `$&` in the replacement means itself. */
function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`index.html has to hold ${from} once`);
  return text.replace(from, () => to);
}

/** Writes only what changed, so that whoever watches this folder is not woken by our own output. */
async function writeIfChanged(path: URL, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => null)) === text) return;
  await mkdir(new URL(".", path), { recursive: true });
  await writeFile(path, text);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  try {
    await writeIfChanged(new URL("dist/index.html", HERE), await buildPage());
  } catch (error) {
    console.error(`page: not built: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
