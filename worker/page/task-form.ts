import { isUnanswered } from "../../shared/client/client-errors.ts";
import { type NewTask, newIdempotencyKey } from "../../shared/client/create-task.ts";
import type { HivegateClient } from "../../shared/client/rest.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { byId, setAttribute, setText } from "./dom.ts";

/** The form that starts a task. */
export class TaskForm {
  readonly #form = byId("task-form", HTMLFormElement);
  readonly #text = byId("task-text", HTMLTextAreaElement);
  readonly #priority = byId("task-priority", HTMLSelectElement);
  readonly #start = byId("task-start", HTMLButtonElement);
  readonly #message = byId("task-message", HTMLElement);
  readonly #client: () => HivegateClient | null;
  readonly #started: (task: Task) => void;
  /** The task that was sent without an answer, if any. */
  #unanswered: NewTask | null = null;

  constructor(ports: { client(): HivegateClient | null; started(task: Task): void }) {
    this.#client = ports.client;
    this.#started = ports.started;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
  }

  /** Hidden for a token that may only watch. */
  show(mayStart: boolean): void {
    this.#form.hidden = !mayStart;
    this.#say("", "quiet");
  }

  /** A word about a task, for everybody to hear. */
  tell(error: Error): void {
    this.#say(error.message, "bad");
  }

  async #submit(): Promise<void> {
    const client = this.#client();
    if (!client || this.#start.disabled) return;
    this.#start.disabled = true;
    this.#say("Starting…", "quiet");
    try {
      const { task } = await client.createTask(this.#request());
      this.#unanswered = null;
      this.#text.value = "";
      this.#say(startedText(task), "good");
      this.#started(task);
    } catch (thrown) {
      if (!isUnanswered(thrown)) this.#unanswered = null;
      this.#say(thrown instanceof Error ? thrown.message : "The task could not be started.", "bad");
    } finally {
      this.#start.disabled = false;
    }
  }

  /** The same task sent again after no answer came is the same request: it may have been started after all. */
  #request(): NewTask {
    const [task, priority] = [this.#text.value, this.#priority.value];
    if (this.#unanswered?.task !== task || this.#unanswered.priority !== priority)
      this.#unanswered = { task, priority, idempotencyKey: newIdempotencyKey() };
    return this.#unanswered;
  }

  #say(text: string, tone: "good" | "bad" | "quiet"): void {
    setText(this.#message, text);
    setAttribute(this.#message, "data-tone", tone);
  }
}

const startedText = ({ state, method, note, swarmId }: Task): string =>
  state === "queued"
    ? "It waits for its turn."
    : (note ?? `Started by ${method}${swarmId === null ? "" : ` in ${swarmId}`}.`);
