/** The sidecar cannot start: one line for the one who started it. */
export class StartError extends Error {}

export const whyOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
