import { claudeFlow2 } from "./claude-flow-2.ts";
import { claudeFlow3 } from "./claude-flow-3.ts";
import { demo } from "./demo.ts";
import type { Profile } from "./profile.ts";
import { sessionScript } from "./session-script.ts";

const PROFILES: readonly Profile[] = [demo, claudeFlow3, claudeFlow2, sessionScript];

/** @throws Error that names the known profiles, for the one who configures the sidecar */
export function profileOf(name: string): Profile {
  const profile = PROFILES.find((known) => known.name === name);
  if (profile) return profile;
  const known = PROFILES.map((each) => each.name).join(", ");
  throw new Error(`there is no swarm profile "${name}"; known are: ${known}`);
}
