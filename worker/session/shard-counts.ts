import type { ErrorCode } from "../../shared/errors.ts";
import { series } from "../metrics.ts";
import { SidecarCalls } from "../sidecar-calls.ts";

/** A series that first appears with 1 looks to a rate as if nothing had happened, so that these begin with 0. */
const WHY_SESSIONS_END: readonly ErrorCode[] = ["slow_consumer", "idle", "token_expired", "rate_limited"];

/** What one shard has counted since it has its memory. Plain numbers: some are counted for every frame. */
export class ShardCounts {
  sessionsOpened = 0;
  framesSent = 0;
  sentBytes = 0;
  framesReceived = 0;
  updatesSkipped = 0;
  snapshots = 0;
  resumed = 0;
  notResumed = 0;
  readonly sidecar = new SidecarCalls();
  readonly #ended = new Map(WHY_SESSIONS_END.map((code) => [code, 0]));
  readonly #refused = new Map<ErrorCode, number>();

  /** The gateway ended a session. */
  ended(code: ErrorCode): void {
    this.#ended.set(code, (this.#ended.get(code) ?? 0) + 1);
  }

  /** A client's frame was answered with an error. */
  refused(code: ErrorCode): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
  }

  *samples(): Generator<readonly [string, number], void, void> {
    yield [series("sessions_opened_total"), this.sessionsOpened];
    yield [series("frames_sent_total"), this.framesSent];
    yield [series("sent_bytes_total"), this.sentBytes];
    yield [series("frames_received_total"), this.framesReceived];
    yield [series("updates_skipped_total"), this.updatesSkipped];
    yield [series("snapshots_total"), this.snapshots];
    yield [series("resumes_total", { recovered: "true" }), this.resumed];
    yield [series("resumes_total", { recovered: "false" }), this.notResumed];
    for (const [code, count] of this.#ended) yield [series("sessions_ended_total", { code }), count];
    for (const [code, count] of this.#refused) yield [series("refused_frames_total", { code }), count];
    yield* this.sidecar.samples();
  }
}
