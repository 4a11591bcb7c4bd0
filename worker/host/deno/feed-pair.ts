/**
 * The feed between a Hive and a Shard in one process: two ends, as a WebSocket has them. What is sent at one
 * comes to the other in order, each in a microtask of its own: never while its sender is still at work.
 */
export type FeedListener = { received(text: string): void; closed(): void };

export class FeedEnd {
  #other: FeedEnd = this;
  #listener: FeedListener | null = null;
  #isClosed = false;

  /** Both ends of a new feed. Each has to be listened to before anything is sent to it. */
  static pair(): [FeedEnd, FeedEnd] {
    const ends: [FeedEnd, FeedEnd] = [new FeedEnd(), new FeedEnd()];
    [ends[1].#other, ends[0].#other] = ends;
    return ends;
  }

  listen(listener: FeedListener): void {
    this.#listener = listener;
  }

  /** After the feed is closed nothing is sent, without a word: whoever sends is about to hear that it is closed. */
  send(text: string): void {
    this.#tell((listener) => listener.received(text));
  }

  /** The other end hears of it, after what was sent before. This one hears nothing more. */
  close(): void {
    this.#tell((listener) => listener.closed());
    this.#isClosed = true;
  }

  #tell(news: (listener: FeedListener) => void): void {
    if (this.#isClosed) return;
    const other = this.#other;
    queueMicrotask(() => {
      if (!other.#isClosed && other.#listener) news(other.#listener);
    });
  }
}
