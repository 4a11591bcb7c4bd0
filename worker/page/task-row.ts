import { isFinalState, stateWord } from "../../shared/client/decode.ts";
import { clockTime, taskDuration } from "../../shared/client/time-text.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { button, el, setAttribute, setText } from "./dom.ts";
import { toneOf } from "./format.ts";
import type { Row } from "./keyed-list.ts";

export type ShownTask = { task: Task; selected: boolean; mayStop: boolean; nowMs: number };
export type TaskActions = { select(task: Task): void; stop(task: Task): Promise<void> };

/** One task in the list: a button that opens its output, and one that stops it while it runs. */
export function taskRow({ task: first }: ShownTask, actions: TaskActions): Row<ShownTask> {
  let task = first;
  const state = el("span", "state");
  const text = el("span", "text");
  const meta = el("span", "meta figure");
  const open = button("", "open", () => actions.select(task));
  open.append(text, el("span", "line", state, meta));
  const stop = button("Stop", "quiet stop", () => {
    stop.disabled = true;
    void actions.stop(task).finally(() => {
      stop.disabled = false;
    });
  });
  const element = el("li", "task-item", open, stop);

  return {
    element,
    update(shown) {
      ({ task } = shown);
      setText(state, stateWord(task));
      setAttribute(state, "data-tone", toneOf(stateWord(task)));
      setText(text, task.task);
      setAttribute(text, "title", task.task);
      setText(meta, metaText(shown));
      setAttribute(open, "aria-expanded", String(shown.selected));
      setAttribute(open, "aria-controls", "output");
      setAttribute(stop, "aria-label", `Stop ${task.task.slice(0, 60)}`);
      stop.hidden = !shown.mayStop || isFinalState(task.state);
    },
  };
}

const metaText = ({ task, nowMs }: ShownTask): string =>
  [task.priority, clockTime(task.createdAt, nowMs), taskDuration(task, nowMs)].filter(Boolean).join(" · ");
