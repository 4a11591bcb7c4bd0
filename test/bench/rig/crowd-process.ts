/** Very many clients in one process, in groups that a benchmark names. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { Filters } from "../../../shared/protocol/client.ts";
import { Agent } from "../../../shared/swarm/agent.ts";
import { Picture } from "../../../shared/swarm/picture.ts";
import { EVERYTHING, seenOf } from "../../../shared/swarm/view.ts";
import { aSnapshot } from "../../support/agents.ts";
import { Ages } from "./ages.ts";
import { answerParent } from "./child.ts";
import { Member, MemberOptions } from "./member.ts";

/** Connections that are being opened at the same time. */
const AT_ONCE = 50;
const CHECK_EVERY_MS = 20;

const Group = z.object({ group: z.string() });
const Connect = Group.extend({ members: z.array(MemberOptions) });
const Within = Group.extend({ withinMs: z.number() });
const HeardOfConfig = Within.extend({ after: z.number() });
const Converged = Within.extend({ agents: z.array(Agent) });

const groups = new Map<string, Member[]>();
const ages = new Ages();

answerParent({
  async connect(params) {
    const { group, members } = Connect.parse(params);
    const made = members.map((options) => new Member(options, ages.read));
    groups.set(group, [...membersOf(group), ...made]);
    await openAll(made);
  },
  async reconnect(params) {
    const { group, withinMs } = Within.parse(params);
    const members = membersOf(group);
    for (const member of members) member.drop();
    const droppedMs = performance.now();
    await Promise.all(members.map((member) => member.open({ resume: true })));
    const areBack = () => members.every(({ isRecovered }) => isRecovered !== null);
    await waitFor("an answer for each that came back", areBack, withinMs);
    return performance.now() - droppedMs;
  },
  async haveSnapshots(params) {
    const { group, withinMs } = Within.parse(params);
    const haveOne = () => membersOf(group).every(({ snapshots }) => snapshots > 0);
    await waitFor("a snapshot for each", haveOne, withinMs);
  },
  async converged(params) {
    const { group, agents, withinMs } = Converged.parse(params);
    const isSo = () => areTogether(group) && membersOf(group).every((member) => isTrue(member, agents));
    await waitFor("the same picture everywhere", isSo, withinMs);
  },
  counts(params) {
    const members = membersOf(Group.parse(params).group);
    const sum = (count: (member: Member) => number) => members.reduce((all, one) => all + count(one), 0);
    return {
      atMs: performance.now(),
      open: sum(({ isOpen }) => Number(isOpen)),
      frames: sum(({ frames }) => frames),
      updates: sum(({ updates }) => updates),
      snapshots: sum(({ snapshots }) => snapshots),
      snapshotBytes: sum(({ snapshotBytes }) => snapshotBytes),
      probes: sum(({ probes }) => probes),
      bytes: sum(({ bytes }) => bytes),
      wireBytes: sum(({ wireBytes }) => wireBytes),
      recovered: sum(({ isRecovered }) => Number(isRecovered === true)),
    };
  },
  async heardOfConfig(params) {
    const { group, after, withinMs } = HeardOfConfig.parse(params);
    const members = membersOf(group);
    const revisions = () => new Set(members.map(({ configRevision }) => configRevision));
    const haveHeard = () => revisions().size === 1 && Math.max(...revisions()) > after;
    await waitFor(`the same word from each of what follows revision ${after}`, haveHeard, withinMs);
    return {
      revision: Math.max(...revisions()),
      lastAtMs: Math.max(...members.map(({ configChangedAtMs }) => configChangedAtMs)),
      heard: members.reduce((sum, { configChanges }) => sum + configChanges, 0),
    };
  },
  heartbeat(params) {
    for (const member of membersOf(Group.parse(params).group)) member.heartbeat();
  },
  drop(params) {
    const { group } = Group.parse(params);
    for (const member of membersOf(group)) member.drop();
    groups.delete(group);
  },
  collectAges: () => ages.begin(),
  ages: () => ages.end(),
});

const membersOf = (group: string): Member[] => groups.get(group) ?? [];

async function openAll(members: readonly Member[]): Promise<void> {
  const waiting = members.values();
  const openThem = async () => {
    for (const member of waiting) await member.open({ resume: false });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openThem));
}

/** All are connected, and those that see the same have come equally far. */
function areTogether(group: string): boolean {
  const places = new Map<string, number | null>();
  return membersOf(group).every(({ isOpen, offset, options: { url } }) => {
    if (!places.has(url)) places.set(url, offset);
    return isOpen && places.get(url) === offset;
  });
}

/** A witness has the agents that its filters let through, as they are. */
function isTrue(member: Member, agents: Agent[]): boolean {
  if (!member.picture) return true;
  const asked = new URL(member.options.url).searchParams.get("filters");
  const filters = Filters.parse(JSON.parse(asked ?? "{}"));
  const picture = new Picture();
  picture.apply(aSnapshot({ agents }));
  const seen = seenOf(picture, { ...EVERYTHING, filters }).agents;
  return isDeepStrictEqual(member.picture.agents, new Map(seen.map((agent) => [agent.agent_id, agent])));
}

async function waitFor(what: string, isSo: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`after ${withinMs} ms still without ${what}`);
    await new Promise((resolve) => setTimeout(resolve, CHECK_EVERY_MS));
  }
}
