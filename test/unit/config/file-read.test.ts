import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { type ConfigRead, NO_ANSWER, withReadLimit } from "../../../sidecar/config/file/read.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeFile, liveConfigs, serve, value } from "./live-configs-parts.ts";

const TEXT: ConfigRead = { state: "text", text: "{}" };

describe("a file whose system does not answer", () => {
  it("C1 counts as unreadable after a while, and is not read a second time until it answers", async () => {
    const clock = new ManualClock();
    const reads: PromiseWithResolvers<ConfigRead>[] = [];
    const read = withReadLimit(() => {
      const one = Promise.withResolvers<ConfigRead>();
      reads.push(one);
      return one.promise;
    }, clock);
    const first = read();
    clock.advance(LIMITS.configReadMs);
    expect(await first).toBe(NO_ANSWER);
    expect(await read()).toBe(NO_ANSWER);
    expect(reads).toHaveLength(1);
    reads[0]?.resolve(TEXT);
    await reads[0]?.promise;
    const then = read();
    reads[1]?.resolve(TEXT);
    expect(await then).toBe(TEXT);
    expect(clock.waiting).toBe(0);
  });

  it("C1 keeps no change waiting for longer, and counts again when it answers", async () => {
    const clock = new ManualClock();
    const file = new FakeFile();
    file.edit({ one: serve(1) });
    const stuck = Promise.withResolvers<ConfigRead>();
    let isStuck = false;
    const read = withReadLimit(async () => (isStuck ? stuck.promise : file.now), clock);
    file.read = read;
    const { configs } = await liveConfigs({ file, commands: ["serve"] });
    isStuck = true;
    const author = { by: "anna", source: "api" } as const;
    const changes = Array.from({ length: LIMITS.configChanges }, (_, n) =>
      configs.put(`api${n}`, value(n), "none", author),
    );
    await expect.poll(() => clock.waiting).toBe(1);
    clock.advance(LIMITS.configReadMs);
    expect(await Promise.all(changes)).toHaveLength(LIMITS.configChanges);
    await expect(configs.reload("anna")).rejects.toThrow("it cannot be read: it does not answer");
    file.edit({ one: serve(2) });
    isStuck = false;
    stuck.resolve(file.now);
    await stuck.promise;
    await configs.reload("anna");
    expect((await configs.get("", "one")).config).toEqual(serve(2));
  });
});
