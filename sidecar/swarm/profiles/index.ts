import { claudeFlow2 } from "./claude-flow-2.ts";
import { claudeFlow3 } from "./claude-flow-3.ts";
import { customProfile } from "./custom.ts";
import type { CustomProfile } from "./custom-schema.ts";
import { demo } from "./demo.ts";
import type { Profile } from "./profile.ts";
import { sessionScript } from "./session-script.ts";

export const PROFILE_NAMES = ["demo", "claude-flow@3", "claude-flow@2", "session-script"] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

/** A profile that comes with Hivegate, or the description of another. */
export type ProfileChoice = ProfileName | CustomProfile;

const PROFILES: Record<ProfileName, Profile> = {
  demo,
  "claude-flow@3": claudeFlow3,
  "claude-flow@2": claudeFlow2,
  "session-script": sessionScript,
};

export const profileOf = (choice: ProfileChoice): Profile =>
  typeof choice === "string" ? PROFILES[choice] : customProfile(choice);
