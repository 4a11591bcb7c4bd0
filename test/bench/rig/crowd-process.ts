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
const Awaited = Group.extend({ what: z.enum(["snapshot", "recovered"]), withinMs: z.number() });
const Converged = Group.extend({ agents: z.array(Agent), withinMs: z.number() });

const groups = new Map<string, Member[]>();
const ages = new Ages();

answerParent({
  async connect(params) {
    const { group, members } = Connect.parse(params);
    const made = members.map((options) => new Member(options, ages.read));
    groups.set(group, [...membersOf(group), ...made]);
    await openAll(made, { resume: false });
  },
  async reconnect(params) {
    const members = membersOf(Group.parse(params).group);
    for (const member of members) member.drop();
    const droppedMs = performance.now();
    await openAll(members, { resume: true });
    return performance.now() - droppedMs;
  },
  async until(params) {
    const { group, what, withinMs } = Awaited.parse(params);
    const isThere = (member: Member) =>
      what === "snapshot" ? member.snapshots > 0 : member.isRecovered !== null;
    await waitFor(`a ${what} each`, () => membersOf(group).every(isThere), withinMs);
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
      probes: sum(({ probes }) => probes),
      bytes: sum(({ bytes }) => bytes),
      wireBytes: sum(({ wireBytes }) => wireBytes),
      recovered: sum(({ isRecovered }) => Number(isRecovered === true)),
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

async function openAll(members: readonly Member[], options: { resume: boolean }): Promise<void> {
  const waiting = members.values();
  const openThem = async () => {
    for (const member of waiting) await member.open(options);
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
