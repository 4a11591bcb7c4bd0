import type { HivegateClient } from "../../shared/client/rest.ts";
import type { HybridHealth } from "../../shared/protocol/sidecar.ts";
import { byId, el, setAttribute, setText } from "./dom.ts";
import { KeyedList, type Row } from "./keyed-list.ts";

const POLL_MS = 15_000;

type Part = { name: string; healthy: boolean; error: string | null };

/** One line about the health of the whole, asked for only while somebody can see the page. */
export class HealthView {
  readonly #view = byId("health", HTMLElement);
  readonly #state = byId("health-state", HTMLElement);
  readonly #note = byId("health-note", HTMLElement);
  readonly #parts = new KeyedList<Part>(byId("health-parts", HTMLUListElement), ({ name }) => name, partRow);
  #client: HivegateClient | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#schedule());
  }

  watch(client: HivegateClient | null): void {
    this.#client = client;
    this.#view.hidden = client === null;
    this.#schedule();
  }

  #schedule(): void {
    clearInterval(this.#timer);
    if (!this.#client || document.hidden) return;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
    void this.#poll();
  }

  async #poll(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    try {
      const health = await client.health();
      if (client === this.#client) this.#show(health.overall_status, health.note, partsOf(health));
    } catch (thrown) {
      if (client !== this.#client) return;
      this.#show("unknown", thrown instanceof Error ? thrown.message : "", []);
    }
  }

  #show(state: HybridHealth["overall_status"] | "unknown", note: string, parts: Part[]): void {
    setText(this.#state, state);
    setAttribute(this.#state, "data-tone", state === "healthy" ? "good" : "bad");
    setText(this.#note, note);
    this.#parts.update(parts);
  }
}

function partsOf({ components: { docker_hive_mind: docker, mcp_telemetry: mcp } }: HybridHealth): Part[] {
  const control = { name: "control", healthy: docker.status === "healthy", error: docker.error ?? null };
  return [
    control,
    ...mcp.mcp_services.map(({ service, healthy, error }) => ({
      name: service,
      healthy,
      error: error ?? null,
    })),
  ];
}

function partRow(): Row<Part> {
  const element = el("li");
  return {
    element,
    update(part) {
      setText(element, part.name);
      setAttribute(element, "data-tone", part.healthy ? "good" : "bad");
      setAttribute(element, "title", part.error ?? (part.healthy ? "healthy" : "not healthy"));
      setAttribute(element, "aria-label", `${part.name}: ${part.healthy ? "healthy" : "not healthy"}`);
    },
  };
}
