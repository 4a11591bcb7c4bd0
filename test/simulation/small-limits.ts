/**
 * Limits that a small world reaches. To be imported before what it limits; the worlds of a process share them.
 * Nothing that is simulated looks at any other bounds.
 */
import { LIMITS } from "../../shared/limits.ts";

const limits: { -readonly [Name in keyof typeof LIMITS]: number } = LIMITS;

limits.probeEveryBytes = 2 * 1024;
limits.lateSessionBytes = 8 * 1024;
limits.sessionBacklogBytes = 24 * 1024;
limits.departures = 6;
limits.telemetryReaders = 8;
