/** Every bound of the demo swarm, in one place; beside each, what happens when it is reached. */
export const DEMO_LIMITS = {
  /** Swarms at work at once; above it a task is refused. */
  runningSwarms: 32,
  /** Ended swarms remembered when a new one starts; the oldest is forgotten first, and its task id with it. */
  endedSwarms: 200,
  /** `count primes` goes no further; a larger number is refused. */
  primesBelow: 100_000_000,
  /** A thread whose heap outgrows this ends, and its swarm fails. */
  agentHeapMegabytes: 128,
  /** Listings show this many characters of a task's text, then an ellipsis. */
  shownTextLength: 300,

  /** Connections to each of the three ports; above it a new one is refused. */
  connections: 128,
  /** A line or frame from a client above this closes its connection. */
  lineBytes: 1024 * 1024,
  /** Answers that a client has not read; above it its connection is closed. */
  backlogBytes: 16 * 1024 * 1024,
  /** How long a connection may take to say its token; then it is closed. */
  authenticateMs: 10_000,
  /** How long a connection that is being closed may stay open from the other side. */
  dismissMs: 1_000,

  /** Figures of a running agent are measured this often. */
  sampleEveryMs: 250,
  /** `notifications/swarm_changed` is sent at most this often. */
  notifyEveryMs: 50,
  /** `notifications/agents_changed` is sent at most this often: sixty times a second. */
  notifyProgressEveryMs: 16,

  /** How long the CLI waits for the daemon to connect or to answer; then it fails. */
  callTimeoutMs: 10_000,
  /** The CLI prints progress at most this often. */
  progressEveryMs: 250,
} as const;
