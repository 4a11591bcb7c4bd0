import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Clock, platformClock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type ConfigRead, readConfigFile } from "../../sidecar/config/file/read.ts";
import { ConfigWatch } from "../../sidecar/config/file/watch.ts";
import { createLogger } from "../../sidecar/log.ts";

/** Without the look from time to time: what is heard then, the system told of. */
const withoutPolls: Clock = {
  now: platformClock.now,
  after: (delayMs, then) => (delayMs === LIMITS.configPollMs ? () => {} : platformClock.after(delayMs, then)),
};

const whole = (n: number) => JSON.stringify({ n });
let folder: string;
let path: string;
let heard: { read: ConfigRead; atMs: number }[];
let watching: ConfigWatch | undefined;

const begin = (at = path, clock = withoutPolls) => {
  heard = [];
  watching = new ConfigWatch(at, {
    onRead: (read) => heard.push({ read, atMs: performance.now() }),
    isWhole: (text) => text.endsWith("}"),
    log: createLogger({ level: "silent" }),
    clock,
  });
  return vi.waitFor(() => expect(heard).toHaveLength(1), 2_000);
};

const last = () => heard.at(-1)?.read;

/** Does something, and waits until that is heard of: in time. */
async function hears(text: string | null, act: () => unknown) {
  await act();
  const startMs = performance.now();
  const expected = text === null ? { state: "missing" } : { state: "text", text };
  await vi.waitFor(() => expect(last()).toEqual(expected), { timeout: 5_000, interval: 5 });
  const ms = (heard.at(-1)?.atMs ?? 0) - startMs;
  expect(ms).toBeLessThan(1_000);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hivegate-watch-"));
  mkdirSync(join(folder, "d"));
  path = join(folder, "d", ".mcp.json");
});
afterEach(async () => {
  await watching?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a watched configuration file", () => {
  it("C1 hears of a file that is written in place", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 6; n++) await hears(whole(n), () => writeFileSync(path, whole(n)));
  });

  it("C1 hears of a file that is put in the old one's place, again and again", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 6; n++)
      await hears(whole(n), () => {
        writeFileSync(`${path}.tmp`, whole(n));
        renameSync(`${path}.tmp`, path);
      });
    await hears(whole(9), () => writeFileSync(path, whole(9)));
  });

  it("C1 hears of a file that is moved away, as a backup, and written anew", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 4; n++)
      await hears(whole(n), () => {
        renameSync(path, `${path}~`);
        writeFileSync(path, whole(n));
      });
  });

  it("C1 hears of a file that goes and comes back", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 4; n++) {
      await hears(null, () => unlinkSync(path));
      await hears(whole(n), () => writeFileSync(path, whole(n)));
    }
  });

  it("C1 hears of a folder that goes and comes back", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 4; n++) {
      await hears(null, () => rmSync(join(folder, "d"), { recursive: true }));
      await hears(whole(n), () => {
        mkdirSync(join(folder, "d"));
        writeFileSync(path, whole(n));
      });
    }
  });

  it("C1 hears of a folder that is replaced at one stroke", async () => {
    writeFileSync(path, whole(0));
    await begin();
    for (let n = 1; n < 4; n++) {
      mkdirSync(join(folder, `new${n}`));
      writeFileSync(join(folder, `new${n}`, ".mcp.json"), whole(n));
      await hears(whole(n), () => {
        renameSync(join(folder, "d"), join(folder, `old${n}`));
        renameSync(join(folder, `new${n}`), join(folder, "d"));
      });
      await hears(whole(n * 10), () => writeFileSync(path, whole(n * 10)));
    }
  });

  it("C1 hears of a file that comes later, in folders that come later", async () => {
    path = join(folder, "a", "b", "c", "x.json");
    await begin();
    expect(last()).toEqual({ state: "missing" });
    await hears(whole(1), () => {
      mkdirSync(join(folder, "a", "b", "c"), { recursive: true });
      writeFileSync(path, whole(1));
    });
    await hears(whole(2), () => writeFileSync(path, whole(2)));
  });

  it("C1 hears of a config map of Kubernetes that is updated", async () => {
    const update = (n: number) => {
      mkdirSync(join(folder, "d", `..v${n}`));
      writeFileSync(join(folder, "d", `..v${n}`, ".mcp.json"), whole(n));
      symlinkSync(`..v${n}`, join(folder, "d", "..data_tmp"));
      renameSync(join(folder, "d", "..data_tmp"), join(folder, "d", "..data"));
      if (n > 0) rmSync(join(folder, "d", `..v${n - 1}`), { recursive: true });
    };
    update(0);
    symlinkSync("..data/.mcp.json", path);
    await begin();
    for (let n = 1; n < 6; n++) await hears(whole(n), () => update(n));
  });

  it("C1 hears of a link that leads elsewhere, and of what changes where it leads", async () => {
    mkdirSync(join(folder, "far"));
    writeFileSync(join(folder, "a.json"), whole(0));
    writeFileSync(join(folder, "far", "b.json"), whole(1));
    symlinkSync("../a.json", path);
    await begin();
    await hears(whole(2), () => writeFileSync(join(folder, "a.json"), whole(2)));
    await hears(whole(1), () => {
      unlinkSync(path);
      symlinkSync("../far/b.json", path);
    });
    await hears(whole(3), () => writeFileSync(join(folder, "far", "b.json"), whole(3)));
  });

  it("C1 hears once of a file that is written in pieces, when it is whole", async () => {
    writeFileSync(path, whole(0));
    await begin();
    const text = whole(1);
    await hears(text, async () => {
      writeFileSync(path, "");
      for (const part of text) {
        appendFileSync(path, part);
        await setTimeout(20);
      }
    });
    expect(heard).toHaveLength(2);
  });

  it("C1 hears once of several writes in a burst: of the last", async () => {
    writeFileSync(path, whole(0));
    await begin();
    await hears(whole(20), () => {
      for (let n = 1; n <= 20; n++) writeFileSync(path, whole(n));
    });
    expect(heard).toHaveLength(2);
  });

  it("C1 hears of a file that never rests, and of one that stays broken, but not of the same text again", async () => {
    writeFileSync(path, whole(0));
    await begin();
    let n = 0;
    const restless = setInterval(() => writeFileSync(path, whole(++n)), 30);
    onTestFinished(() => clearInterval(restless));
    const startMs = performance.now();
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(1), { timeout: 5_000, interval: 5 });
    expect(performance.now() - startMs).toBeLessThan(1_000);
    clearInterval(restless);
    await hears("{", () => writeFileSync(path, "{"));
    const before = heard.length;
    writeFileSync(path, "{");
    await hears(whole(1), async () => {
      await setTimeout(LIMITS.configMostSettleMs + 100);
      expect(heard).toHaveLength(before);
      writeFileSync(path, whole(1));
    });
    expect(heard).toHaveLength(before + 1);
  });

  it("C1 says what is there instead of a file, and goes on", async () => {
    await begin();
    const tells = (why: string) =>
      vi.waitFor(() => expect(last()).toEqual({ state: "unreadable", why }), { timeout: 2_000 });
    mkdirSync(path);
    await tells("it is not a file");
    rmdirSync(path);
    symlinkSync(path, path);
    await tells("ELOOP");
    unlinkSync(path);
    execFileSync("mkfifo", [path]);
    await tells("it is not a file");
    unlinkSync(path);
    await hears(whole(1), () => writeFileSync(path, whole(1)));
  });

  it("C1 reads no more of a file than tells that it is too long", async () => {
    writeFileSync(path, "");
    truncateSync(path, 4 * LIMITS.configFileBytes);
    const read = await readConfigFile(path);
    expect(read.state === "text" && read.text.length).toBe(LIMITS.configFileBytes + 1);
  });

  it("C1 looks from time to time, for what nobody tells of", async () => {
    writeFileSync(path, whole(0));
    vi.stubEnv("CHOKIDAR_USEPOLLING", "true");
    vi.stubEnv("CHOKIDAR_INTERVAL", "3600000");
    onTestFinished(() => void vi.unstubAllEnvs());
    await begin(path, platformClock);
    writeFileSync(path, whole(1));
    await vi.waitFor(() => expect(last()).toEqual({ state: "text", text: whole(1) }), { timeout: 4_000 });
  });

  it("C1 hears of nothing after it is closed, and leaves nothing behind", async () => {
    writeFileSync(path, whole(0));
    const before = process.getActiveResourcesInfo().filter((kind) => kind === "FSEventWrap").length;
    await begin();
    writeFileSync(path, whole(1));
    await watching?.close();
    await setTimeout(LIMITS.configMostSettleMs);
    expect(heard).toHaveLength(1);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === "FSEventWrap")).toHaveLength(before);
  });

  it("C1 hears of where a file got to after anything that was done to it and its folders", async () => {
    const [a, b] = [join(folder, "d"), join(folder, "e")];
    mkdirSync(b);
    const acts = [
      () => writeFileSync(path, whole(++step)),
      () => rmSync(path, { force: true }),
      () => writeFileSync(join(b, ".mcp.json"), whole(++step)),
      () => renameSync(join(b, ".mcp.json"), path),
      () => renameSync(a, join(folder, `old${++step}`)),
      () => mkdirSync(a),
      () => symlinkSync(b, a),
      () => rmSync(a, { recursive: true, force: true }),
      () => symlinkSync(join(b, ".mcp.json"), path),
      () => renameSync(b, join(folder, `old${++step}`)),
      () => mkdirSync(b),
    ];
    let step = 0;
    const random = fc.sample(fc.array(fc.nat(acts.length - 1), { minLength: 1, maxLength: 12 }), {
      ...{ numRuns: 25, seed: 7 },
    });
    await begin(path, platformClock);
    for (const round of random) {
      for (const n of round) {
        try {
          acts[n]?.();
        } catch {
          // There is nothing to do that to.
        }
        if (n % 3 === 0) await setTimeout(n * 10);
      }
      const there = await readConfigFile(path);
      await vi.waitFor(() => expect(last()).toEqual(there), { timeout: 5_000, interval: 5 });
    }
  }, 60_000);
});
