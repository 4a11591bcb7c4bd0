import type { Identity } from "../../../../shared/auth/permission.ts";
import type { RegistryAnswer, RegistryServer, ToolEntry } from "../../../../shared/protocol/tools.ts";
import { AnswerCache, type Found, type Hit, type Miss } from "../../../../worker/mcp/cache.ts";
import type { CacheCall } from "../../../../worker/mcp/cache-question.ts";
import { RegistryView } from "../../../../worker/mcp/registry-view.ts";
import { webSha256 } from "../../../../worker/web-crypto.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

export const aTool = (tool: Partial<ToolEntry> = {}): ToolEntry => ({
  ...{ name: "look", title: null, description: null, category: null },
  ...{ readOnly: null, idempotent: null, cacheable: null, cacheTtlMs: null },
  ...tool,
});

export const aServer = (server: Partial<RegistryServer> = {}): RegistryServer => ({
  ...{ name: "demo", status: "available", era: "2026", category: null, version: "d1" },
  tools: [aTool({ readOnly: true }), aTool({ name: "hinted" }), aTool({ name: "change", readOnly: false })],
  ...server,
});

export const ANNA: Pick<Identity, "subject" | "permissions" | "scope"> = {
  ...{ subject: "anna", permissions: ["tools:call"], scope: {} },
};

export const aCall = (call: Partial<CacheCall> = {}): CacheCall => ({
  ...{ hive: "default", identity: ANNA, server: "demo", method: "tools/call", protocolVersion: "2026-07-28" },
  ...{ params: { name: "look", arguments: { at: 1 } }, cacheControl: null },
  ...call,
});

/** A cache before a sidecar whose registry is `registry` now; null: it does not answer. */
export function cacheWorld() {
  const clock = new ManualClock();
  const sidecar: { registry: RegistryAnswer | null; asked: number; waitedFor: (string | null)[] } = {
    waitedFor: [],
    registry: { version: "1", servers: [aServer()] },
    asked: 0,
  };
  const deferred: Promise<void>[] = [];
  const view = new RegistryView(
    async (_, { known, waitFor }) => {
      sidecar.asked++;
      sidecar.waitedFor.push(waitFor);
      if (!sidecar.registry) throw new Error("no answer");
      return sidecar.registry.version === known ? null : sidecar.registry;
    },
    () => clock.now(),
  );
  const cache = new AnswerCache({ registry: view, sha256: webSha256, now: () => clock.now() });
  const find = async (call: CacheCall): Promise<Found> => cache.find(call, (work) => deferred.push(work));
  const hit = async (call: CacheCall): Promise<Hit | null> => {
    const found = await find(call);
    return found.kind === "hit" ? found : null;
  };
  const miss = async (call: CacheCall): Promise<Miss> => {
    const found = await find(call);
    if (found.kind !== "miss") throw new Error(`expected a miss, not ${found.kind}`);
    return found;
  };
  /** Answers a call as the sidecar would. */
  const answer = async (call: CacheCall, result: Record<string, unknown> = { content: [] }) => {
    const { keep } = await miss(call);
    keep(result, { registry: sidecar.registry?.version ?? null, joined: false });
  };
  return { clock, sidecar, deferred, view, cache, find, hit, miss, answer };
}
