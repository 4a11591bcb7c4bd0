import { figuresOf, worstOf } from "../../../shared/config/judge.ts";
import { stepEndsAtMs } from "../../../shared/config/rollout.ts";
import { HivegateError } from "../../../shared/errors.ts";
import type { RolloutChange, RolloutStatus } from "../../../shared/protocol/rollout.ts";
import { type ConfigRouter, storeAlone } from "../router.ts";
import { asBackend } from "../store/backend.ts";
import type { ConfigStore } from "../store/store.ts";
import type { Mode, RolloutController } from "./controller.ts";
import type { Mirror } from "./mirror.ts";
import type { PathSamples, ReadCount } from "./path-samples.ts";
import type { TwoPaths } from "./two-paths.ts";

/** The way from the older system's database to the store, as far as one goes on. */
export interface Rollout {
  /** Which of the two is read and written. */
  readonly router: ConfigRouter;
  readonly status: RolloutStatus;
  /** By path, operation and outcome. */
  readonly reads: Iterable<ReadCount>;
  /** @throws HivegateError `not_supported` where there is nothing to choose, `overloaded` when the older database is away */
  change(change: RolloutChange, by: string): Promise<RolloutStatus>;
  /** Before the store is. */
  close(): Promise<void>;
}

/** Without an older system. */
export const noRollout = (store: ConfigStore): Rollout => ({
  router: storeAlone(asBackend(store)),
  status: {
    mode: "none",
    percent: 100,
    ...{
      since: null,
      schedule: null,
      backed_out: null,
      automatic: false,
      verdict: "too_few",
      operations: [],
    },
    compared: { reads: 0, differences: 0 },
    old_database: null,
  },
  reads: [],
  change: () =>
    Promise.reject(
      new HivegateError(
        "not_supported",
        "There is no older system to come from: MCP_OLD_DATABASE is not set.",
      ),
    ),
  close: async () => {},
});

export type RolloutParts = {
  mode: Mode;
  automatic: boolean;
  paths: TwoPaths;
  controller: RolloutController;
  mirror: Mirror;
  samples: PathSamples;
  old: { close(): Promise<void> };
  now(): number;
};

export const rolloutOf = (parts: RolloutParts): Rollout => ({
  router: parts.paths,
  get status() {
    return statusOf(parts);
  },
  get reads() {
    return parts.samples.counts;
  },
  change: async (change, by) => {
    await parts.controller.change(change, by);
    return statusOf(parts);
  },
  close: async () => {
    parts.controller.close();
    await parts.mirror.close();
    await parts.old.close();
  },
});

function statusOf({ mode, automatic, paths, controller, mirror, samples, now }: RolloutParts): RolloutStatus {
  const { since, schedule, backedOut } = controller.state;
  const figures = new Map(samples.all(now()));
  const operations = controller.judgements().map(([operation, { verdict, ratio }]) => {
    const both = figures.get(operation);
    return { operation, old: figuresOf(both?.old ?? []), new: figuresOf(both?.new ?? []), verdict, ratio };
  });
  const { servers, sinceMs } = mirror.behind;
  return {
    mode,
    percent: controller.percent,
    since,
    schedule: schedule && { ...schedule, next_at: stepEndsAtMs(controller.state) },
    backed_out: backedOut,
    automatic,
    verdict: worstOf(operations.map(({ verdict }) => verdict)),
    operations,
    compared: { reads: paths.shadow.reads, differences: paths.shadow.differences },
    old_database: { behind: servers, behind_since: sinceMs },
  };
}
