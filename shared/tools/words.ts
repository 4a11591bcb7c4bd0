/** The words of a text or of a name such as `agent_list`, `hive-mind_status` or `taskOrchestrate`, in lower case. */
export const wordsOf = (text: string): string[] =>
  text.replace(CAMEL, "$1 $2").toLowerCase().match(WORD) ?? [];

const CAMEL = /(\p{Ll})(\p{Lu})/gu;
const WORD = /[\p{L}\p{N}]+/gu;
