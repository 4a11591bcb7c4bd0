/** Arguments that a tool wants to see in headers too: the client has to say the same in both. */
import type { Params } from "../json-rpc-session.ts";
import { ParamHeaders } from "../wires/param-headers.ts";
import { decoded, type HeaderOf } from "./envelope.ts";

export class ParamCheck {
  /** By a server's list of tools, which is another one when anything in it has changed. */
  readonly #known = new WeakMap<object, ParamHeaders>();

  /** The first header that is missing or says something else than the arguments of a `tools/call`; null: none. */
  disagreeing(tools: readonly unknown[], params: Params, header: HeaderOf): string | null {
    for (const [name, value] of Object.entries(this.#learnt(tools).headersFor(params)))
      if (decoded(header(name)) !== decoded(value)) return name;
    return null;
  }

  #learnt(tools: readonly unknown[]): ParamHeaders {
    const known = this.#known.get(tools) ?? new ParamHeaders();
    if (!this.#known.has(tools)) {
      known.learn({ result: { tools } });
      this.#known.set(tools, known);
    }
    return known;
  }
}
