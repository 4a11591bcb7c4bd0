/** The page: signs in, keeps one stream, and draws what the stream's picture says, once per frame at most. */
import { isFinalState } from "../../shared/client/decode.ts";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { AgentsView } from "./agents-view.ts";
import { renderConnection } from "./connection-view.ts";
import { byId, setText } from "./dom.ts";
import { HealthView } from "./health-view.ts";
import { OutputView } from "./output-view.ts";
import { forgetToken, initialToken, keepToken, readToken, type Session } from "./session.ts";
import { refusalText, SignIn } from "./sign-in.ts";
import { TaskForm } from "./task-form.ts";
import { TasksView } from "./tasks-view.ts";

type Hive = { session: Session; client: HivegateClient; stream: HivegateStream };

let hive: Hive | null = null;
let unfollow = () => {};
let isDrawDue = false;

const hiveView = byId("hive", HTMLElement);
const hiveName = byId("hive-name", HTMLElement);
const signOutButton = byId("sign-out", HTMLButtonElement);

const signIn = new SignIn(enter);
const agents = new AgentsView();
const output = new OutputView({ changed: draw, close: closeOutput });
const tasks = new TasksView({ select: toggleOutput, stop: stopTask });
const taskForm = new TaskForm({ client: () => hive?.client ?? null, started: (task) => openOutput(task) });
const health = new HealthView();

function enter(session: Session): void {
  const connect = { baseUrl: location.origin, hive: session.hive, token: session.token };
  const filters = { include_performance: true, include_neural: false, include_topology: false };
  const stream = new HivegateStream({ ...connect, filters });
  hive = { session, client: new HivegateClient(connect), stream };
  keepToken(session.token);
  stream.on("change", draw);
  stream.on("state", (state) => {
    if (state.name === "closed" && state.error) leave(refusalText(state.error, session.hive));
    draw();
  });
  signIn.hide();
  hiveView.hidden = false;
  signOutButton.hidden = false;
  setText(hiveName, session.hive);
  document.title = `${session.hive} · Hivegate`;
  taskForm.show(session.mayStart);
  health.watch(hive.client);
  draw();
}

/** Back to the sign-in form, with a word why. */
function leave(message: string): void {
  const left = hive;
  hive = null;
  left?.stream.close();
  forgetToken();
  closeOutput();
  health.watch(null);
  hiveView.hidden = true;
  signOutButton.hidden = true;
  setText(hiveName, "");
  document.title = "Hivegate";
  signIn.show(message);
  draw();
}

function toggleOutput(task: Task): void {
  if (output.taskId === task.taskId) closeOutput();
  else if (openOutput(task)) output.focus();
}

/** False: nobody is signed in any more. */
function openOutput(task: Task): boolean {
  if (!hive) return false;
  unfollow();
  output.open(task);
  unfollow = hive.stream.follow(task.taskId, {
    event: (event) => output.add(event),
    failed: (error) => output.fail(error),
  });
  return true;
}

function closeOutput(): void {
  unfollow();
  unfollow = () => {};
  output.close();
}

async function stopTask(task: Task): Promise<void> {
  try {
    await hive?.client.stop(task.taskId);
  } catch (thrown) {
    taskForm.tell(thrown instanceof Error ? thrown : new Error("The task could not be stopped."));
  }
}

/** Draws before the next frame; any number of changes until then are drawn once. */
function draw(): void {
  if (isDrawDue) return;
  isDrawDue = true;
  requestAnimationFrame(() => {
    isDrawDue = false;
    const nowMs = Date.now();
    renderConnection(hive?.stream.state ?? null, hive?.stream.picture ?? null, nowMs);
    if (!hive) return;
    const { picture } = hive.stream;
    // Whether a task still runs is not known once the picture is not live: its clock stands still as well.
    const asOfMs = picture.live ? nowMs : (picture.staleSinceMs ?? nowMs);
    agents.render(picture);
    tasks.render(picture, { selectedId: output.taskId, mayStop: hive.session.mayStart, nowMs: asOfMs });
    output.render(asOfMs);
  });
}

signOutButton.addEventListener("click", () => leave(""));

// The durations of running tasks move on although nothing is received.
setInterval(() => {
  const running = [...(hive?.stream.picture.tasks.values() ?? [])].some((task) => !isFinalState(task.state));
  if (running && !document.hidden) draw();
}, 1_000);

function begin(): void {
  const token = initialToken();
  const session = token === null ? null : readToken(token);
  if (hive && token === hive.session.token) return;
  leave(token === null || session ? "" : "The token in the address is not one. Paste another.");
  if (session) enter(session);
}

// A link with another token may be opened in a tab that has the page already.
addEventListener("hashchange", begin);
begin();
