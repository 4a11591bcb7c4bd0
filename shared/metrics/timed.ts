import { asHivegateError } from "../errors.ts";

/** Hears how a call went: `ok`, an error's code, or another word of a fixed few. */
export type Observe = (outcome: string, durationMs: number) => void;

/**
 * What `call` gives or throws, after `observe` was told. `now` is in milliseconds, since whenever; `outcomeOf`
 * names results that are not as hoped for.
 */
export async function timed<T>(
  call: () => Promise<T>,
  observe: Observe,
  { now, outcomeOf = () => "ok" }: { now(): number; outcomeOf?: ((result: T) => string) | undefined },
): Promise<T> {
  const startedMs = now();
  // A clock may be set back.
  const over = (outcome: string) => observe(outcome, Math.max(0, now() - startedMs));
  try {
    const result = await call();
    over(outcomeOf(result));
    return result;
  } catch (thrown) {
    over(asHivegateError(thrown).code);
    throw thrown;
  }
}
