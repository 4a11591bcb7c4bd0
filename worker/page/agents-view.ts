import type { LivePicture } from "../../shared/client/live-picture.ts";
import type { SeenAgent } from "../../shared/swarm/agent.ts";
import { AGENT_COLUMNS, agentRow } from "./agent-row.ts";
import { byId, el, setAttribute, setText } from "./dom.ts";
import { plural, toneOf } from "./format.ts";
import { KeyedList, type Row } from "./keyed-list.ts";

/** Rows on the page; more could not be read, and would make every update slow. */
const AGENTS_SHOWN = 500;

type SwarmGroup = { key: string; title: string; id: string; stale: boolean; agents: SeenAgent[] };

/** The agents, swarm by swarm, the newest swarm first. */
export class AgentsView {
  readonly #count = byId("agents-count", HTMLElement);
  readonly #empty = byId("agents-empty", HTMLElement);
  readonly #more = byId("agents-more", HTMLElement);
  readonly #swarms = new KeyedList<SwarmGroup>(byId("swarms", HTMLElement), ({ key }) => key, swarmSection);

  render(picture: LivePicture): void {
    const agents = [...picture.agents.values()].sort(byAge);
    const shown = agents.slice(-AGENTS_SHOWN);
    const hidden = agents.length - shown.length;
    this.#swarms.update(groups(shown, picture));
    setText(this.#count, agents.length > 0 ? String(agents.length) : "");
    this.#empty.hidden = agents.length > 0;
    this.#more.hidden = hidden === 0;
    setText(this.#more, `${plural(hidden, "older agent")} not shown.`);
  }
}

function groups(agents: SeenAgent[], picture: LivePicture): SwarmGroup[] {
  const fresh = new Set(
    picture.servers.flatMap(({ pool, stale_since }) => (stale_since === null ? [pool] : [])),
  );
  const tasks = [...picture.tasks.values()];
  const bySwarm = Map.groupBy(agents, (agent) => `${agent.swarm_id ?? ""} ${agent.server}`);
  return [...bySwarm]
    .map(([key, members]) => {
      const [first] = members;
      const swarmId = first?.swarm_id ?? null;
      const task = swarmId === null ? undefined : tasks.find((task) => task.swarmId === swarmId);
      return {
        key,
        title: task?.task ?? swarmId ?? `On ${first?.server}`,
        id: (task && swarmId) ?? "",
        stale: first !== undefined && !fresh.has(first.server),
        agents: members,
      };
    })
    .reverse();
}

function swarmSection(): Row<SwarmGroup> {
  const title = el("h3", "clip");
  const id = el("span", "swarm-id clip meta");
  const counts = el("span", "count");
  const body = el("tbody");
  const head = el("tr", "", ...AGENT_COLUMNS.map(columnHead));
  const table = el("table", "", el("thead", "", head), body);
  const element = el("section", "card swarm", el("div", "heading", title, id, counts), table);
  const rows = new KeyedList<SeenAgent>(body, (agent) => agent.agent_id, agentRow);
  return {
    element,
    update(swarm) {
      setText(title, swarm.title);
      setAttribute(title, "title", swarm.title);
      setText(id, swarm.id);
      setText(counts, countText(swarm));
      setAttribute(element, "data-stale", swarm.stale ? "" : null);
      setAttribute(table, "aria-label", `Agents of ${swarm.title}`);
      rows.update(swarm.agents);
    },
  };
}

function columnHead(label: string): HTMLTableCellElement {
  const head = el("th", label.toLowerCase(), label);
  head.scope = "col";
  return head;
}

function countText({ agents, stale }: SwarmGroup): string {
  const busy = agents.filter((agent) => toneOf(agent.status) === "busy").length;
  const parts = [plural(agents.length, "agent"), ...(busy > 0 ? [`${busy} at work`] : [])];
  return [...parts, ...(stale ? ["stale"] : [])].join(" · ");
}

const byAge = (a: SeenAgent, b: SeenAgent): number =>
  (a.created_at ?? 0) - (b.created_at ?? 0) || (a.agent_id < b.agent_id ? -1 : 1);
