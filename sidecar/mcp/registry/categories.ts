import { wordsOf } from "../../../shared/tools/words.ts";

/** What the words of tools' names speak of. A word stands in one category only. */
export const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  agents: ["agent", "agents", "worker", "workers", "subagent"],
  swarm: ["swarm", "hive", "coordination", "topology", "consensus", "federation", "daa", "claims"],
  tasks: ["task", "tasks", "todo", "todos", "progress", "autopilot"],
  workflow: ["workflow", "workflows", "pipeline", "automation", "hook", "hooks"],
  memory: ["memory", "knowledge", "embedding", "embeddings", "vector", "agentdb", "recall", "rag"],
  neural: [
    "neural",
    "model",
    "models",
    "train",
    "predict",
    "inference",
    "llm",
    "ruvllm",
    "pattern",
    "patterns",
  ],
  performance: ["performance", "benchmark", "bottleneck", "profile", "metric", "metrics", "usage"],
  security: ["security", "threat", "scan", "pii", "aidefence", "policy", "audit", "auth"],
  code: ["git", "github", "repo", "repository", "commit", "pr", "diff", "code", "lint", "analyze", "branch"],
  files: ["file", "files", "directory", "folder", "path"],
  data: ["database", "sql", "table", "query", "graph", "json", "csv", "record", "records"],
  web: ["web", "browser", "http", "url", "fetch", "page", "crawl"],
  shell: ["terminal", "shell", "bash", "command", "exec"],
  system: [
    "system",
    "config",
    "configuration",
    "session",
    "sessions",
    "health",
    "mcp",
    "server",
    "log",
    "logs",
  ],
};

const BY_WORD = new Map(
  Object.entries(CATEGORIES).flatMap(([category, words]) => words.map((word) => [word, category] as const)),
);

/** The category of the first word in a tool's name that tells one; null when none does. */
export function categoryOf(name: string): string | null {
  for (const word of wordsOf(name)) {
    const category = BY_WORD.get(word);
    if (category !== undefined) return category;
  }
  return null;
}
