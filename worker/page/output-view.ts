import { outputText, stateWord } from "../../shared/client/decode.ts";
import { taskDuration } from "../../shared/client/time-text.ts";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { byId, el, setAttribute, setText } from "./dom.ts";
import { toneOf } from "./format.ts";
import { KeyedList, type Row } from "./keyed-list.ts";
import { type OutputLine, OutputLines } from "./output-lines.ts";

/** How near to the end counts as being there: then the view stays at the end as lines come. */
const AT_END_PX = 24;

/** What the selected task writes, as it writes it. */
export class OutputView {
  readonly #view = byId("output", HTMLElement);
  readonly #title = byId("output-title", HTMLHeadingElement);
  readonly #state = byId("output-state", HTMLElement);
  readonly #box = byId("output-lines", HTMLElement);
  readonly #list = new KeyedList<OutputLine>(this.#box, ({ id }) => id, lineRow);
  readonly #changed: () => void;
  #lines = new OutputLines();
  #task: Task | null = null;
  #opener: Element | null = null;

  constructor(ports: { changed(): void; close(): void }) {
    this.#changed = ports.changed;
    byId("output-close", HTMLButtonElement).addEventListener("click", ports.close);
    this.#view.addEventListener("keydown", (event) => {
      if (event.key === "Escape") ports.close();
    });
  }

  get taskId(): string | null {
    return this.#task?.taskId ?? null;
  }

  open(task: Task): void {
    this.#task = task;
    this.#lines = new OutputLines();
    this.#list.update([]);
    this.#opener = document.activeElement;
    this.#view.hidden = false;
    this.#changed();
  }

  focus(): void {
    this.#title.focus();
  }

  /** Whoever reads by keyboard goes back to where they came from. */
  close(): void {
    if (this.#view.contains(document.activeElement) && this.#opener instanceof HTMLElement)
      this.#opener.focus();
    this.#task = null;
    this.#view.hidden = true;
    this.#changed();
  }

  add(event: TaskEvent): void {
    if (event.kind === "output") this.#lines.add(event.stream, outputText(event));
    else if (event.kind === "gap") this.#lines.note(event.reason);
    else this.#task = event.task;
    this.#changed();
  }

  fail(error: Error): void {
    this.#lines.note(error.message);
    this.#changed();
  }

  render(nowMs: number): void {
    const task = this.#task;
    if (!task) return;
    setText(this.#title, task.task);
    setText(this.#state, stateText(task, nowMs));
    setAttribute(this.#state, "data-tone", toneOf(stateWord(task)));
    const wasAtEnd = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < AT_END_PX;
    this.#list.update(this.#lines.lines);
    if (wasAtEnd) this.#box.scrollTop = this.#box.scrollHeight;
  }
}

function lineRow({ kind }: OutputLine): Row<OutputLine> {
  const element = el("div", kind);
  return { element, update: ({ text }) => setText(element, text) };
}

function stateText(task: Task, nowMs: number): string {
  const parts = [stateWord(task), taskDuration(task, nowMs)];
  if (task.swarmId !== null) parts.push(task.swarmId);
  if (task.note !== undefined) parts.push(task.note);
  if (task.exitCode !== null && task.exitCode !== 0) parts.push(`exit code ${task.exitCode}`);
  if (task.error) parts.push(task.error.message);
  return parts.filter(Boolean).join(" · ");
}
