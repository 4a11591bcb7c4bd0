/** The floor of a call: a worker that hands each request on, and does nothing else. */
import { DurableObject } from "cloudflare:workers";

export default {
  async fetch(request) {
    const upstream = new URL(request.url).searchParams.get("to");
    return fetch(upstream, { method: "POST", body: await request.text() });
  },
};

/** Every bare server has one. */
export class Bench extends DurableObject {}
