import type { HivegateError } from "../../shared/errors.ts";
import { byId, setText } from "./dom.ts";
import { readToken, type Session } from "./session.ts";

/** The form that asks for a token. */
export class SignIn {
  readonly #view = byId("sign-in", HTMLElement);
  readonly #token = byId("token", HTMLInputElement);
  readonly #message = byId("sign-in-message", HTMLParagraphElement);

  constructor(signIn: (session: Session) => void) {
    byId("sign-in-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const session = readToken(this.#token.value);
      if (session) signIn(session);
      else this.show("This is not a token. It has three parts with dots between them.");
    });
  }

  show(message: string): void {
    this.#view.hidden = false;
    setText(this.#message, message);
    this.#token.value = "";
    this.#token.focus();
  }

  hide(): void {
    this.#view.hidden = true;
    this.#token.value = "";
  }
}

/** Why the gateway did not let us in, in words for the person who has the token. */
export function refusalText(error: HivegateError | null, hive: string): string {
  switch (error?.code) {
    case undefined:
      return "";
    case "unauthorized":
      return "This token is not valid here. Use one that was made for this gateway.";
    case "token_expired":
      return "This token has expired. Make a fresh one.";
    case "unknown_hive":
      return `There is no hive “${hive}” here, or this token does not allow it.`;
    case "forbidden":
      return "This token does not allow watching: it lacks telemetry:read.";
    default:
      return error?.message ?? "";
  }
}
