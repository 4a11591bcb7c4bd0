/** Looks for a swarm's id in the beginning of its task's output, line by line: no line is looked at twice. */
import type { Profile } from "./profiles/profile.ts";

/** Among so many lines, or characters, a swarm names itself, or never. */
export const SEARCHED_LINES = 200;
export const SEARCHED_CHARS = 64 * 1024;

export class SwarmIdSearch {
  readonly #find: Profile["swarmId"];
  #open = "";
  #linesLeft = SEARCHED_LINES;
  #charsLeft = SEARCHED_CHARS;

  constructor(find: Profile["swarmId"]) {
    this.#find = find;
  }

  /** Whether it is not to be found in what may come either. */
  get isOver(): boolean {
    return this.#linesLeft <= 0 || this.#charsLeft <= 0;
  }

  /** Looks at the lines that end in this next piece of output. @throws as `Profile.swarmId` */
  look(text: string): string | null {
    if (this.isOver) return null;
    const [first = "", ...rest] = text.slice(0, this.#charsLeft).split("\n");
    const open = rest.pop();
    this.#charsLeft -= text.length;
    if (open === undefined) {
      this.#open += first;
      return null;
    }
    const lines = [this.#open + first, ...rest].slice(0, this.#linesLeft);
    this.#open = open;
    this.#linesLeft -= lines.length;
    return this.#find(`${lines.join("\n")}\n`);
  }
}
