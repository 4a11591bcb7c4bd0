/** What a backup holds cannot be put back, and nothing was changed. */
export class RestoreRefused extends Error {}
