/**
 * C1, C2: what those who use the servers notice of a new configuration: nothing. Its file is written anew very often while
 * tools are called and clients watch; then the API is asked at a steady rate.
 */
import { type Bench, goal, median, quantile } from "./report.ts";
import { HOST_NAMES } from "./rig/hosts.ts";
import { type Reloaded, ReloadRig } from "./rig/reload-rig.ts";
import type { LoadReport } from "./rig/request-load.ts";

const CLIENTS = 200;
const CALLS_AT_A_TIME = 8;
const API_PER_SECOND = 100;
const API_SERVERS = 100;
/** So many of the changes are left to the watcher; of the others the sidecar is told. */
const WATCHED_EVERY = 20;

export const reload: Bench = async ({ quick }) => {
  const { reloads, apiMs } = quick ? { reloads: 100, apiMs: 4_000 } : { reloads: 1_000, apiMs: 30_000 };
  const rig = await ReloadRig.start({ clients: CLIENTS });
  try {
    // Servers are connected to by the first who calls them.
    await rig.beginCalls(CALLS_AT_A_TIME);
    await rig.called();
    const before = await rig.held();
    const reloaded: Reloaded[] = [];
    for (let i = 0; i < reloads; i++) {
      reloaded.push(await rig.reload(i, { isWatched: i % WATCHED_EVERY === 0 }));
      if (i % 100 === 99) console.log(`${i + 1} reloads, ${shownTimes(reloaded)}`);
    }
    const calls = await rig.endCalls();
    const { open, heard } = await rig.audience();
    const after = await rig.settled(before);
    console.log(`calls meanwhile: ${shown(calls)}`);
    console.log(`held before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);

    const api: Record<string, LoadReport> = {};
    for (const host of HOST_NAMES) {
      api[host] = await rig.askApi(host, { servers: API_SERVERS, perSecond: API_PER_SECOND, forMs: apiMs });
      console.log(`API, ${host}: ${shown(api[host])}`);
    }
    const watched = reloaded.filter(({ isWatched }) => isWatched).map(({ liveMs }) => liveMs);
    const told = reloaded.filter(({ isWatched }) => !isWatched).map(({ liveMs }) => liveMs);
    return {
      rounds: reloads,
      goals: {
        "C1.live": goal(Math.max(...watched), 1_000, "at most", "ms"),
        "C1.callsFailed": goal(calls.failures, 0, "at most", "calls"),
        "C1.clientsDropped": goal(CLIENTS - open, 0, "at most", "clients"),
        "C1.unheard": goal(CLIENTS * reloads - heard, 0, "at most", "frames"),
        "C1.processes": goal(after.processes - before.processes, 0, "at most", "more"),
        "C1.sockets": goal(after.sockets - before.sockets, 0, "at most", "more"),
        ...Object.fromEntries(
          Object.entries(api).flatMap(([host, { p99Ms, failures }]) => [
            [`C2.p99.${host}`, goal(p99Ms, 100, "at most", "ms")],
            [`C2.failed.${host}`, goal(failures, 0, "at most", "requests")],
          ]),
        ),
      },
      raw: { watchedMs: timesOf(watched), toldMs: timesOf(told), calls, before, after, api },
    };
  } finally {
    await rig.stop();
  }
};

const timesOf = (ms: readonly number[]) => ({
  p50: Math.round(median(ms)),
  p99: Math.round(quantile(ms, 0.99)),
  most: Math.round(Math.max(...ms)),
});

const shownTimes = (reloaded: readonly Reloaded[]): string => {
  const { p50, most } = timesOf(reloaded.map(({ liveMs }) => liveMs));
  return `at every client after ${p50} ms, ${most} ms at most`;
};

const shown = ({ requests, failures, failed, p50Ms, p99Ms, elapsedMs }: LoadReport): string =>
  `${requests} in ${Math.round(elapsedMs)} ms, ${failures} failed, p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms${failed.map((one) => `\n  ${one}`).join("")}`;
