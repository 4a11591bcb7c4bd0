import { isFinalState } from "../../shared/client/decode.ts";
import type { LivePicture } from "../../shared/client/live-picture.ts";
import { byId, setText } from "./dom.ts";
import { KeyedList } from "./keyed-list.ts";
import { type ShownTask, type TaskActions, taskRow } from "./task-row.ts";

/** The tasks, newest first. */
export class TasksView {
  readonly #count = byId("tasks-count", HTMLElement);
  readonly #empty = byId("tasks-empty", HTMLElement);
  readonly #list: KeyedList<ShownTask>;

  constructor(actions: TaskActions) {
    this.#list = new KeyedList(
      byId("tasks", HTMLUListElement),
      ({ task }) => task.taskId,
      (shown) => taskRow(shown, actions),
    );
  }

  render(
    picture: LivePicture,
    { selectedId, mayStop, nowMs }: { selectedId: string | null; mayStop: boolean; nowMs: number },
  ): void {
    const tasks = [...picture.tasks.values()].sort((a, b) => b.createdAt - a.createdAt);
    const running = tasks.filter((task) => !isFinalState(task.state)).length;
    this.#list.update(tasks.map((task) => ({ task, selected: task.taskId === selectedId, mayStop, nowMs })));
    setText(this.#count, running > 0 ? `${running} running` : "");
    this.#empty.hidden = tasks.length > 0;
  }
}
