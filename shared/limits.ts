/**
 * Every bound in Hivegate, in one place, with its unit last in its name.
 * A limit that is reached always has a stated outcome: see the comment beside it.
 */
export const LIMITS = {
  /** A client's frame above this is answered with `frame_too_large`. */
  clientFrameBytes: 256 * 1024,
  /** A task's text above this is refused with `invalid_request`. */
  taskTextBytes: 64 * 1024,
  /** A signed request's body above this is refused with `body_too_large`. */
  requestBodyBytes: 512 * 1024,
  /** The sidecar refuses a signature that lives longer than this. */
  signatureLifeMs: 60_000,
  /** How far two machines' clocks may differ before a signature counts as not yet valid. */
  clockSkewMs: 5_000,
  /** Nonces remembered within `signatureLifeMs`; above it requests are refused with `rate_limited`. */
  nonces: 200_000,
  /** Verified client tokens remembered until they expire; the oldest is forgotten first. */
  verifiedTokens: 10_000,
  /** Published keys in one set; with more it is refused. */
  jwks: 100,
  jwksTimeoutMs: 5_000,
  /** Published keys older than this are fetched anew, and a token that was checked with them is checked again. */
  jwksFreshMs: 10 * 60_000,
  /** Where they cannot be had they are used for this long; after that `keys_unavailable`. */
  jwksKeptMs: 24 * 60 * 60_000,
  /** They are not fetched again sooner than this, whatever keys tokens name; until then a token of a new key is refused. */
  jwksPauseMs: 30_000,
  /** Requests that fetch them in that time while none has come to an end; others go on without. */
  jwksFetches: 8,

  /**
   * Levels of arrays and objects in JSON that clients and MCP servers send: what is nested deeper is taken for no JSON.
   */
  jsonDepth: 500,

  /**
   * A line from an MCP server above this closes that connection, which is then opened anew; over HTTP a body, or an event
   * of a stream, fails its call.
   */
  mcpLineBytes: 8 * 1024 * 1024,
  /** A stream of an MCP server over HTTP that ended is taken up again after this at the soonest, whatever the server wants. */
  mcpReconnectMs: 250,
  /** Requests waiting for one MCP server; above it a call fails with `overloaded`. */
  mcpPendingCalls: 1_024,
  /**
   * Bytes for one MCP server that it has not taken yet; above it a call fails with `overloaded`, and a server that
   * asks us something loses its connection.
   */
  mcpUnsentBytes: 8 * 1024 * 1024,
  mcpConnectTimeoutMs: 5_000,
  /** The same for a server that is a process: it may have to be fetched first. */
  mcpStartTimeoutMs: 30_000,
  /**
   * A server that says nothing to a question of 2026 for this long is asked in the words of 2025. A process may be starting
   * meanwhile, on a machine that is busy: taken for one of 2025, it would be spoken to as one until the connection ends.
   */
  mcpProbeMs: 10_000,
  /** A client's request to an MCP server that does not say otherwise; progress starts it anew. Above it `timeout`. */
  mcpExchangeMs: 60_000,
  /**
   * A call that was given up may go on at its server: what that says or asks meanwhile, and that may be about it, is for
   * nobody. So it is until the server knows, or, if it is one that goes on all the same, until its answer; for this long
   * at most. Of more calls the oldest are taken for ended.
   */
  mcpGivenUpMs: 5 * 60_000,
  mcpGivenUpCalls: 1_024,
  /** How long a server may take to set its log level, which others wait for. */
  mcpLogLevelMs: 2_000,
  /** What one MCP server may be asking clients at once; above it the server is told `overloaded`. */
  mcpServerQuestions: 64,
  /** How long a server's process may take to end by itself, and once more when asked to; then it is killed. */
  mcpEndGraceMs: 500,
  /** How often a server of 2026 is asked at most to tell of changes in its lists, where it does not go on doing so. */
  mcpListenAgainMs: 10_000,
  /** A line that a server's process writes beside the protocol is logged up to this length. */
  mcpNoiseChars: 2_000,

  /** Sessions of 2025's MCP clients; above either the one that was idle longest goes, and with none idle `overloaded`. */
  mcpSessions: 10_000,
  mcpSessionsPerClient: 1_000,
  /** A session that nobody used for this long is over: its client is told so, and opens another. */
  mcpSessionIdleMs: 30 * 60_000,
  mcpSessionSweepMs: 60_000,
  /** Events of one session kept for whoever lost its stream; the oldest go first. */
  mcpSessionEventBytes: 512 * 1024,
  /** The same of all sessions; above it those of the session that was told nothing for longest go. */
  mcpEventBytes: 64 * 1024 * 1024,
  /** What a client leaves unread of a stream, beside the largest message; above it the stream ends. */
  mcpStreamUnreadBytes: 4 * 1024 * 1024,
  /** Streams of changes that one client has open; above it `overloaded`. */
  mcpListensPerClient: 32,
  /** A stream says something at least this often. An answer that is waited for through a whole such time becomes a stream. */
  mcpKeepAliveMs: 15_000,
  /**
   * Requests that wait and streams that are read, each on a connection to the sidecar: of one client, of all; above either
   * `overloaded`.
   */
  mcpRequestsPerClient: 512,
  mcpRequests: 2_048,
  /** Requests under way in one session; above it `overloaded`. */
  mcpSessionCalls: 256,
  /** What MCP servers ask of one client and it has not answered; above it they are told that it cannot. */
  mcpAsked: 64,
  /** How long a client may take to answer what a server asks. */
  mcpAskedMs: 10 * 60_000,
  /** Calls that are held while a 2026 client gets what the server asked for; above either the server is told that it cannot. */
  mcpHeldCalls: 1_024,
  mcpHeldCallsPerClient: 32,
  /** What these calls asked, as JSON, all together; likewise. */
  mcpHeldChars: 64 * 1024 * 1024,
  /** How often in one call a server may ask a client for more; then the call fails. */
  mcpInputRounds: 16,
  /** Resources of one server that are watched for changes; above it `overloaded`. */
  mcpSubscriptions: 1_000,
  /** What one client watches, in all its sessions and streams; likewise. */
  mcpSubscriptionsPerClient: 256,
  /** A resource whose URI is longer cannot be watched. */
  mcpWatchedUriChars: 4_096,

  /** What one MCP server offers: tools, resources, templates, prompts; of each the rest are left out. */
  listedItems: 5_000,
  /** Each of these lists as JSON; the rest are left out likewise. */
  listedBytes: 8 * 1024 * 1024,
  /** Pages of each of these lists; so are further ones. */
  listedPages: 200,
  /** How long a server may take to answer when it is asked for one page of a list. */
  listingPageMs: 10_000,
  /** How long a server's listing is waited for, from its beginning; then lists are given without what is new of it. */
  listingWaitMs: 2_000,
  /** The same where the last listing failed: most that are well again answer sooner, and the rest are waited for no more. */
  failedListingWaitMs: 200,
  /** A listing is believed for this long at least, whatever its server says: whoever asks all the time asks us. */
  leastListingMs: 1_000,
  /** The same where the server tells of every change anyway. */
  leastToldListingMs: 60_000,
  /** Equal calls under way that others may join; above it calls are not joined. */
  joinableCalls: 1_024,

  /** Output of a short command (status, list) above this is cut and the command is ended. */
  commandOutputBytes: 1024 * 1024,
  /** Commands of a swarm's CLI at once; the next ones wait their turn. */
  swarmCommands: 8,
  /** Commands that wait, for no longer than one may run; above either `overloaded`. */
  waitingSwarmCommands: 256,
  /** Output kept per task; above it the oldest is dropped and readers see a `gap` event. */
  taskOutputBytes: 4 * 1024 * 1024,
  /** Output kept of all ended tasks; above it that of those ended longest ago is dropped, likewise. */
  keptOutputBytes: 512 * 1024 * 1024,
  /** One output event carries at most this much text; a longer line is split. */
  taskEventBytes: 16 * 1024,
  /** A line that has not ended after this is told as far as it has come: it may be a prompt. */
  unfinishedLineMs: 100,
  /** A task's process is stopped after this, or sooner if its creator says so, but not before `leastTaskRunMs`. */
  taskRunMs: 24 * 60 * 60 * 1000,
  leastTaskRunMs: 1_000,
  /** What MAX_RUNNING_TASKS may be at most. Above that many at once a task is queued. */
  runningTasks: 256,
  /** Tasks of one client running at once; its next ones are queued, and others pass them. */
  tasksPerClient: 16,
  /** Tasks that wait for their turn; above it `overloaded`. */
  queuedTasks: 1_000,
  /** Those of one client, so that it cannot take up the whole queue; above it `overloaded`. */
  queuedTasksPerClient: 100,
  /** A task that waits while nobody can start tasks for this long fails. */
  queuedTaskMs: 60 * 60 * 1000,
  /** New tasks of one client at once, and each second after that; above it `rate_limited`. */
  clientTaskBurst: 60,
  clientTasksPerSecond: 1,
  /** The same for all clients together. */
  hiveTaskBurst: 300,
  hiveTasksPerSecond: 5,
  /** Streams of tasks' events open at the sidecar, each on a connection of its own: of one client, of all; above it `overloaded`. */
  taskStreamsPerClient: 128,
  taskStreams: 768,
  /** Connections to the sidecar: room for the streams, and for everything else beside. More are refused by its system. */
  sidecarConnections: 4_096,
  /** Ended tasks kept in the ledger; the oldest go first. */
  endedTasks: 1_000,
  /** Tasks that were ended and are no longer kept, known so that they are not run again; the oldest go first. */
  rememberedTasks: 100_000,
  /** Ended tasks in one answer; those under way are all in it. */
  listedEndedTasks: 200,
  /** A task's text in lists and telemetry; a longer one is cut there and whole only in the task's own answer. */
  listedTaskTextChars: 500,

  /** A session's filters, as JSON; above it `invalid_request`. They have to fit a socket's attachment. */
  filterChars: 4_000,
  /** Requests over HTTP that a subject may make at once, and each second after that; above it `rate_limited`. */
  requestBurst: 100,
  requestsPerSecond: 50,
  /** API keys that nobody has, at once and each second after that, of all clients and per isolate; above it `rate_limited`. */
  wrongKeyBurst: 100,
  wrongKeysPerSecond: 5,
  /** Sessions that a subject may open at once, and each second after that; above it `rate_limited`. */
  sessionBurst: 200,
  sessionsPerSecond: 20,
  /** Subjects whose rate is remembered; the one longest silent is forgotten first. */
  ratedSubjects: 10_000,
  /**
   * Tools whose rate is remembered, by each rule: of one client, further ones count as one; of all, the client that is
   * longest silent is forgotten first.
   */
  ratedToolsPerClient: 500,
  ratedTools: 10_000,
  /** Requests of one session that wait for the sidecar; above it `overloaded`. */
  commandsPerSession: 32,
  /** Task streams one session may follow; above it `overloaded`. */
  followsPerSession: 16,
  /** Tasks whose changes of state alone one session is told of; of one more it is told that it is not. */
  watchesPerSession: 64,
  /** Shards of one hive; when all are full the connection is refused with `overloaded`. */
  shardsPerHive: 64,
  /** Client sockets of one shard; above it the next shard is asked. */
  sessionsPerShard: 1_000,
  /** Requests of one session that make the swarm's host look, at once and each second after; above it `rate_limited`. */
  lookUpBurst: 5,
  lookUpsPerSecond: 1,
  /** Frames a client may send at once, and each second after that; above it `rate_limited`. */
  clientFrameBurst: 60,
  clientFramesPerSecond: 30,
  /** A frame refused for its rate is read up to this length, to say which request is refused. */
  refusedFrameChars: 8 * 1024,
  /** A session whose frames were refused this often in a row is closed with `rate_limited`. */
  refusedFramesInARow: 200,
  /** Snapshots that a shard keeps encoded for those who come next; above it they are made anew. */
  keptSnapshotBytes: 8 * 1024 * 1024,
  /** Snapshots that a session may ask for at once, and each second after that; above it `rate_limited`. */
  snapshotBurst: 20,
  snapshotsPerSecond: 2,
  /** What a client that cannot acknowledge is taken to read in a second, where the runtime does not say. */
  assumedBytesPerSecond: 128 * 1024,
  /** Probes that wait for their answers; above it every second one is forgotten. */
  probes: 32,
  /** How long a task's events wait for a client to read; after that it follows no more, and may come again. */
  followRoomMs: 30_000,
  /** A client's last sign of life is stored this often at most. */
  heardSavedMs: 30_000,
  /** A client is asked how far it has read each time it was sent so much. */
  probeEveryBytes: 192 * 1024,
  /** Bytes that a client has not read above which updates wait for it and merge. */
  lateSessionBytes: 256 * 1024,
  /** Bytes that a client has not read, beside the largest frame; above it the session ends with `slow_consumer`. */
  sessionBacklogBytes: 1024 * 1024,
  /** So does one that has been late for this long without reading anything. */
  lostSessionMs: 60_000,
  /** How often a client should send a `heartbeat`. */
  heartbeatMs: 25_000,
  /** A client that was silent for this long is taken for gone: `idle`. */
  idleSessionMs: 120_000,
  /** How often it is looked for those. */
  sweepMs: 120_000,
  /** Frames shorter than this are not worth compressing. */
  deflateFromChars: 1_024,
  /** Sockets that one subject may have on a shard; above it `overloaded`. */
  sessionsPerSubject: 200,

  /** One line of the sidecar's telemetry stream; above it the Hive opens the stream anew. */
  telemetryLineBytes: 24 * 1024 * 1024,
  /** The telemetry stream says something at least this often. */
  telemetryKeepAliveMs: 10_000,
  /** Agents in one picture; the rest are left out and the picture says so. */
  agents: 10_000,
  /**
   * All agents of one picture as JSON; the rest are left out likewise. A change that replaces every agent names
   * those that went as well, and has to fit `telemetryLineBytes`.
   */
  agentsBytes: 9 * 1024 * 1024,
  /** Swarms in one picture; the rest are left out. */
  swarms: 1_000,
  /** Agents that went, remembered for clients that missed it; whoever missed an older one gets a snapshot. */
  departures: 4_000,
  /** Telemetry readers at the sidecar (one per hive is normal); above it `overloaded`. */
  telemetryReaders: 16,
  /** A telemetry reader that leaves more than this unread, on top of its snapshot, gets `slow_consumer`. */
  telemetryReaderBacklogBytes: 4 * 1024 * 1024,

  /** A relayed message above this closes the connection that it came by: a client's with `frame_too_large`. */
  relayMessageBytes: 4 * 1024 * 1024,
  /** What one side of a relay channel may send before the other has passed it on; above it messages are held. */
  relayWindowBytes: 1024 * 1024,
  /** Messages held for one channel, in each class; above it a message is given up with `overloaded`. */
  relayHeldBytes: 4 * 1024 * 1024,
  /** The same for all sessions at the sidecar together. */
  relaySidecarHeldBytes: 64 * 1024 * 1024,
  /** A message that was held for this long is given up. */
  relayHeldMs: 60_000,
  /** What the other end of a relay's link has not acknowledged; above it channels hold their messages. */
  relayLinkBytes: 16 * 1024 * 1024,
  /** Held by all relay clients of one shard together; above it what would be held is given up with `overloaded`. */
  relayShardHeldBytes: 32 * 1024 * 1024,
  /** What a client sends faster than its rate waits; above it the session ends with `rate_limited`. */
  relayWaitingBytes: 1024 * 1024,
  /** What a relay's client is taken to read in a second, where neither it nor the runtime says. */
  assumedRelayBytesPerSecond: 4 * 1024 * 1024,
  /** A dedicated session on which nothing was said either way for this long is taken for gone: `idle`. */
  idleDedicatedMs: 15 * 60_000,
  /** What a client said before it left may still go out for so long; then it is given up. */
  relayLeavingMs: 15_000,
  /** How long dialling the sidecar for a relay's link may take. */
  relayDialMs: 10_000,
  /** How long a relay's link outlives its last client. */
  relayLingerMs: 30_000,
  /** A link that is down for this long is reset: all its channels end. */
  relayLinkHeldMs: 60_000,
  /** Links at the sidecar, one for each relay object of the gateway; above it `overloaded`. */
  relayLinks: 8,
  /** Sessions of one link; above it a new one is closed with `overloaded`. */
  relayChannels: 4_000,
  /** Connections to orchestrators for one session each; above it a dedicated session is closed with `overloaded`. */
  dedicatedConnections: 64,
  /** Orchestrators that are balanced over; a longer list is refused. */
  orchestrators: 16,
  /** Requests of one relay session that wait for answers; above it `overloaded`. */
  relayPendingRequests: 1_024,
  /** Messages in one JSON-RPC batch; above it it is refused with `invalid_request`. */
  relayBatchParts: 100,
  /** Messages of all sessions for an orchestrator that is away, in each class; above it `overloaded`. */
  orchestratorHeldBytes: 32 * 1024 * 1024,
  /** What an orchestrator has not taken; above it messages for it are held. */
  orchestratorUnsentBytes: 8 * 1024 * 1024,
  /** How long an orchestrator that is no longer wanted may take to answer what it was asked. */
  orchestratorDrainMs: 10_000,
  /** The same when the sidecar stops. */
  relayGoodbyeMs: 1_000,
  /** A link on which nothing was heard for this long, while something should have been, is dialled anew. */
  relayLinkSilentMs: 15_000,

  /** Streamed calls at the sidecar, with those that ended and are kept: of one client, of all; above it `overloaded`. */
  toolStreamsPerClient: 32,
  toolStreams: 256,
  /** What one streamed call holds; above either the oldest chunks go and readers are told how many, the last one never does. */
  toolStreamBytes: 512 * 1024,
  toolStreamChunks: 2_000,
  /** Held by all streamed calls together; above it the oldest of those that ended are forgotten. */
  toolStreamsBytes: 128 * 1024 * 1024,
  /** Keys of calls that were forgotten before their time, known for as long as those would have been; the oldest go first. */
  spentStreamKeys: 10_000,
  /** A server that says nothing of a streamed call for this long has lost it (`timeout`), and what a caller may ask for. */
  toolStreamSilenceMs: 5 * 60_000,
  mostToolStreamSilenceMs: 60 * 60_000,
  /** A streamed call that nobody reads for this long is cancelled. */
  toolStreamUnreadMs: 2 * 60_000,
  /** How long a streamed call can be read after its end. */
  toolStreamKeptMs: 5 * 60_000,
  /** Readers of streamed calls, each on a connection of its own: of one client, of all; above it `overloaded`. */
  toolReadersPerClient: 64,
  toolReaders: 384,
  /** Streamed calls that one session reads; above it `overloaded`. */
  toolStreamsPerSession: 16,

  /** A tool's or a prompt's name, and its server's, as a client says it: there is none that is longer (`unknown_tool`). */
  toolNameChars: 500,
  serverNameChars: 200,
  /** How long a tool that is called by other means than MCP may take; then `timeout`. */
  toolCallMs: 5 * 60_000,
  /** Answers of MCP servers that one isolate or process of the gateway keeps; those longest unused go first. */
  cachedAnswersBytes: 32 * 1024 * 1024,
  /** A longer one, with its question, is not kept. */
  cachedAnswerBytes: 1024 * 1024,
  /** How long an answer is kept where nobody says so, and at most. */
  cachedAnswerMs: 5 * 60_000,
  longestCachedAnswerMs: 24 * 60 * 60_000,
  /** Arguments that are longer as JSON are not looked for in the cache. */
  cacheKeyChars: 16 * 1024,
  /** Tools whose hits and misses are counted by name, per hive; the rest are counted together. */
  cacheFigures: 1_000,
  /** The sidecar is asked in the background which tools there are, when nothing was heard of it for this long. */
  registryConfirmedMs: 350,
  /** What was last known of tools is relied on for this long; after that it is asked for before anything else. */
  registryTrustedMs: 700,
  /** How long that may take, and how long nobody asks again when it fails: meanwhile nothing is cached. */
  registryTimeoutMs: 500,
  registryRetryMs: 2_000,
  /** How long it may take for somebody who wants to see all tools. */
  registryWaitMs: 4_000,
  /** Tools that one search shows at most. */
  foundTools: 100,
  /** Calls in one batch; above it `invalid_request`. */
  batchCalls: 100,
  /** Calls of one batch under way at once; the next ones wait. */
  batchCallsAtOnce: 10,
  /** How long a whole batch may take; what has no answer then is told as `timeout`. */
  batchMs: 2 * 60_000,

  /** More than this held by the sidecar's process is logged: a picture and its readers' backlogs are far below. */
  sidecarMemoryBytes: 1024 * 1024 * 1024,

  /** How long a span waits for others on its way to the collector, and how many do not wait. */
  spansDelayMs: 1_000,
  spanBatch: 256,
  /** Spans that wait or are on their way; further ones are dropped. */
  spansHeld: 2_048,
  /** How long the collector may take to take them. */
  spanExportMs: 10_000,
  /** How long what is recorded of requests waits for more of it on its way to the Hive. */
  eventsDelayMs: 250,
  /** Events in one batch on that way: so many do not wait. */
  eventBatch: 500,
  /** Events of one hive that wait or are on their way, per isolate; of more only the number is kept, as a gap. */
  eventsHeld: 20_000,
  /**
   * Refused requests of one client that the audit log keeps one by one, at once and each second, per isolate; likewise. All
   * who have no good token are one client.
   */
  refusalBurst: 200,
  refusalsPerSecond: 10,
  /** A call's arguments in the audit log, where they are kept at all; longer ones are cut. */
  auditArgumentsChars: 2_000,
  /** What a hive's audit log holds; above it the oldest entries go, behind a checkpoint that says so. */
  auditBytes: 256 * 1024 * 1024,
  /** Batches of events that are known to have come; one that comes again after these counts twice. */
  knownBatches: 64,
  /** A line of its export: none that the gateway wrote is near it. */
  auditLineBytes: 256 * 1024,
  /** Entries in one answer about the audit log. */
  auditPage: 1_000,
  /** Tools and servers of one hive that figures are kept of; further ones count together as `other`. */
  countedTools: 1_000,
  countedServers: 64,
  /** Those figures are stored each time that so many events came; after a restart the rest is counted again. */
  figuresSavedEvents: 2_000,

  /** How long the worker waits for the sidecar to answer anything but a stream. */
  sidecarTimeoutMs: 45_000,
  /** The same of the head of an MCP answer: one that takes long is a stream before that (`mcpKeepAliveMs`), others end (`mcpExchangeMs`). */
  mcpHeadMs: 2 * 60_000,
  /** A stream from the sidecar that is silent for this long is opened anew: it should say something each 15 s. */
  streamSilenceMs: 35_000,
  /** How long the worker waits for the sidecar's health, which itself takes half a second at most. */
  healthTimeoutMs: 1_500,
  /** How long an answer about health is given again. */
  healthKeptMs: 1_000,
  /** Questions about a hive's health in that time, per isolate; above it `overloaded`. */
  healthQuestions: 4,

  /** A file of MCP servers above this is refused. */
  configFileBytes: 4 * 1024 * 1024,
  /** How long reading it may take; then it counts as unreadable until it is read, and changes go on without it. */
  configReadMs: 5_000,
  /** What is ignored in such a file is told of up to this number of times. */
  configWarnings: 100,
  /** MCP servers that are configured, enabled or not; above it `config_invalid`. */
  configServers: 20_000,
  /** MCP servers that are enabled, and so may have a process or a connection; above it `config_invalid`. */
  enabledServers: 1_000,
  /** What is kept of how one MCP server is reached, as JSON; above it `config_invalid`. */
  configBytes: 64 * 1024,
  /** The same of all together, with their agents and tools; above it `config_invalid`. It is held in memory. */
  configsBytes: 64 * 1024 * 1024,
  /** All their versions together; above it the oldest go that are not in force. */
  configHistoryBytes: 256 * 1024 * 1024,
  /** Names of agents, and patterns of tools, of one MCP server. */
  configAgents: 100_000,
  configTools: 10_000,
  /** Versions kept of each MCP server's configuration; the oldest goes first. */
  configVersions: 200,
  /** Servers that were taken away whose versions are kept all the same; those of the first to go are forgotten first. */
  removedConfigs: 20_000,
  /** Versions in one answer; who wants more asks for those before. */
  configHistoryPage: 100,
  /** Changes that wait for the one before them; above it `overloaded`. */
  configChanges: 100,
  /** How long a change waits for another program that writes the store; then it is `overloaded`. Nothing else is done meanwhile. */
  configLockWaitMs: 100,
  /** How often it is looked at whether another program changed the store. */
  configLookMs: 1_000,
  /** Conflicts told of in the status; the oldest goes first. */
  configConflicts: 100,
  /** A file is read when it was left alone for this long, */
  configSettleMs: 100,
  /** or after this at the latest. */
  configMostSettleMs: 600,
  /** So often it is looked at as well, for what the system does not tell of. */
  configPollMs: 2_000,
  /** What a server that was replaced or taken away has under way may take this long; then it is ended. */
  replacedServerMs: 5 * 60_000,
  /** One that has nothing under way is over before its successor is opened, or after this is not waited for. */
  successorWaitMs: 3_000,
  /** How long another program's lock on the older system's database is waited for; then what wanted it fails. */
  oldDatabaseLockMs: 5_000,
  /** How long connecting to one in PostgreSQL may take. */
  oldDatabaseConnectMs: 10_000,

  /** Steps of a rollout's schedule, and how long one may take. */
  rolloutSteps: 16,
  rolloutStepMs: 365 * 24 * 60 * 60_000,
  /** Reads whose times are kept of each path and operation, and for how long; the oldest go first. */
  pathSamples: 2_000,
  pathSampleMs: 5 * 60_000,
  /** A read that has no answer on its path after this is answered on the other one. */
  pathReadMs: 2_000,
  /** How long a change of configurations may take in the older database; then it is refused, or comes there later. */
  oldWriteMs: 5_000,
  /** An older database that is away is tried again after this. */
  oldRetryMs: 5_000,

  /** Alerts that wait for their webhook; a further one is logged and counted, but not sent. */
  alertsWaiting: 100,
  /** Different alerts of the last minute; equal ones are joined, further ones are not. */
  alertsJoined: 1_000,
  /** How long the webhook may take. */
  alertTimeoutMs: 5_000,
} as const;
