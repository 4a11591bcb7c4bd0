/** Whether the headers of a call agree with those of its arguments that its tool wants to see in headers too. */
import { type Mirrored, mirroredText } from "../mirrored-arguments.ts";
import { decoded, type HeaderOf } from "./envelope.ts";
import { headerMismatch, type RpcError } from "./refused.ts";

/** Null when they do. What is not among the arguments may be in the headers: nobody looks at it. */
export function paramMismatch(
  mirrored: readonly Mirrored[],
  args: unknown,
  header: HeaderOf,
): RpcError | null {
  for (const one of mirrored) {
    const text = mirroredText(args, one);
    if (text === null) continue;
    const said = header(one.header);
    if (decoded(said) === text) continue;
    return headerMismatch(one.header, said === undefined);
  }
  return null;
}
