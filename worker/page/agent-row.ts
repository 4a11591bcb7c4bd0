import type { SeenAgent } from "../../shared/swarm/agent.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { bytes, percent, share, toneOf, UNKNOWN } from "./format.ts";
import type { Row } from "./keyed-list.ts";

export const AGENT_COLUMNS = ["Agent", "Status", "Progress", "Task", "CPU", "Memory", "Server"] as const;

/** One agent in its swarm's table. */
export function agentRow(): Row<SeenAgent> {
  const name = el("span", "name");
  const type = el("span", "meta");
  const status = el("span", "state");
  const bar = el("progress");
  bar.max = 1;
  const done = el("span", "figure");
  const task = el("span", "clip");
  const cpu = el("span", "figure");
  const memory = el("span", "figure");
  const server = el("span", "meta clip");

  const head = el("th", "agent", name, type);
  head.scope = "row";
  const element = el(
    "tr",
    "",
    head,
    cell("status", status),
    cell("progress", bar, done),
    cell("task", task),
    cell("cpu", cpu),
    cell("memory", memory),
    cell("server", server),
  );

  return {
    element,
    update(agent) {
      setText(name, agent.name ?? agent.agent_id);
      setText(type, agent.agent_type);
      setText(status, agent.status);
      setAttribute(status, "data-tone", toneOf(agent.status));
      showProgress(bar, agent);
      setText(done, share(agent.progress));
      setText(task, agent.current_task ?? UNKNOWN);
      setAttribute(task, "title", agent.current_task);
      setText(cpu, percent(agent.performance?.cpu_usage));
      setText(memory, bytes(agent.performance?.memory_usage));
      setText(server, agent.server);
    },
  };
}

/** Not knowing how far an agent is differs from its not having begun: then there is no bar. */
function showProgress(bar: HTMLProgressElement, agent: SeenAgent): void {
  setAttribute(bar, "data-unknown", agent.progress === null ? "" : null);
  setAttribute(bar, "aria-label", `Progress of ${agent.name ?? agent.agent_id}`);
  if (bar.value !== (agent.progress ?? 0)) bar.value = agent.progress ?? 0;
}

const cell = (name: string, ...children: HTMLElement[]): HTMLTableCellElement => el("td", name, ...children);
