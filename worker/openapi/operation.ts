/** How one request of the HTTP interface is told: data for `document.ts`. */
import type { z } from "zod";
import type { NamedPermission } from "../../shared/auth/permission.ts";

/** A body that is not JSON, by its media type. */
export type Media = { media: string; description: string };
/** A JSON body of this shape, or another one. */
export type Content = z.ZodType | Media;

export type Operation = {
  method: "get" | "post" | "put" | "delete";
  /** As the router has it, parameters as `:name`. */
  path: string;
  summary: string;
  description?: string;
  tag: "Tasks" | "Swarm" | "Tools" | "Configuration" | "Older configuration" | "Sessions" | "Monitoring";
  /** What the token has to allow. `token`: any, for what it allows decides about the answer; null: anybody may ask. */
  needs: NamedPermission | "token" | null;
  query?: z.ZodObject;
  /** Request headers, by name: what they are for. */
  headers?: Readonly<Record<string, string>>;
  body?: Content;
  /** By status; null: no body. */
  answers: Readonly<Record<number, Content | null>>;
};

export const isMedia = (content: Content): content is Media => "media" in content;
