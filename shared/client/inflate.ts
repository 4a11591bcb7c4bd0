/** Frames that come compressed, in zlib's format (RFC 1950), each by itself. */

/** The text of a frame. Throws when it is no such format. */
export const textOf = (data: string | ArrayBuffer): string | Promise<string> =>
  typeof data === "string" ? data : inflate(data);

function inflate(data: ArrayBuffer): Promise<string> {
  const inflated = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(inflated).text();
}

/** Hands values on in the order in which they were given, some of which take their time to be ready. */
export class InOrder {
  #last: Promise<void> | null = null;

  /** A value that is ready while none is waited for is handed on at once. One that fails is left out. */
  push<T>(make: () => T | Promise<T>, then: (value: T) => void): void {
    if (this.#last === null) {
      const value = make();
      if (!(value instanceof Promise)) {
        then(value);
        return;
      }
      this.#wait(value, then);
      return;
    }
    this.#wait(this.#last.then(make), then);
  }

  #wait<T>(value: Promise<T>, then: (value: T) => void): void {
    const last: Promise<void> = value
      .then(
        (ready) => surfacing(() => then(ready)),
        () => {},
      )
      .then(() => {
        if (this.#last === last) this.#last = null;
      });
    this.#last = last;
  }
}

/** What a receiver throws is its own: it surfaces as it does where nobody had to wait, and the next value comes. */
function surfacing(call: () => void): void {
  try {
    call();
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
