/**
 * The feed between a Hive and a Shard in one process: two ends, as a WebSocket has them. What is sent at one
 * comes to the other in order, each in a microtask of its own: never while its sender is still at work. It comes as
 * it is, not written and read again, so nobody may change what they have sent or heard.
 */
export type FeedListener<Heard> = { received(news: Heard): void; closed(): void };

export class FeedEnd<Sent, Heard> {
  #other: FeedEnd<Heard, Sent> | null = null;
  #listener: FeedListener<Heard> | null = null;
  #isClosed = false;

  /** Both ends of a new feed. Each has to be listened to before anything is sent to it. */
  static pair<One, Other>(): [FeedEnd<One, Other>, FeedEnd<Other, One>] {
    const one = new FeedEnd<One, Other>();
    const other = new FeedEnd<Other, One>();
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  listen(listener: FeedListener<Heard>): void {
    this.#listener = listener;
  }

  /** After the feed is closed nothing is sent, without a word: whoever sends is about to hear that it is closed. */
  send(news: Sent): void {
    this.#tell((listener) => listener.received(news));
  }

  /** The other end hears of it, after what was sent before. This one hears nothing more. */
  close(): void {
    this.#tell((listener) => listener.closed());
    this.#isClosed = true;
  }

  #tell(tell: (listener: FeedListener<Sent>) => void): void {
    if (this.#isClosed) return;
    const other = this.#other;
    queueMicrotask(() => {
      if (other && !other.#isClosed && other.#listener) tell(other.#listener);
    });
  }
}
