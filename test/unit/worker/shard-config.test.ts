import { expect, it } from "vitest";
import type { ConfigChanged } from "../../../shared/protocol/config.ts";
import type { FeedMessage } from "../../../worker/hive/feed.ts";
import { LIVE, SNAPSHOT, setUp } from "./shard-setup.ts";

const inForce = (revision: number): FeedMessage => ({ type: "config_revision", revision });
const NAMES = { added: ["new"], changed: ["other"], removed: ["old"] };
const NO_NAMES = { added: [], changed: [], removed: [] };
const change = (revision: number): ConfigChanged => ({
  ...{ type: "config_changed", revision, timestamp: 7 },
  ...NAMES,
});

it("C1 tells every stream session of a change, in every mode and whatever it filters, once", () => {
  const { connect, connectFeed, say } = setUp();
  const modes = ["high_frequency", "normal", "low_frequency", "on_demand"] as const;
  const sessions = modes.map((mode) => connect("stream", { mode, filters: { agent_types: [] } }));
  const relay = connect("relay");
  const feed = connectFeed(LIVE, inForce(3), SNAPSHOT);
  say(feed, change(4), change(4), inForce(4));
  for (const { ofType } of sessions) {
    expect(ofType("snapshot")).toMatchObject([{ config_revision: 3 }]);
    expect(ofType("config_changed")).toEqual([change(4)]);
  }
  expect(relay.ofType("config_changed")).toEqual([]);
  expect(connect("stream").frames).toMatchObject([
    { type: "welcome", config_revision: 4 },
    { type: "snapshot", config_revision: 4 },
  ]);
});

it("C1 S8 names no servers to a token that shows a part of the hive", () => {
  const { connect, connectFeed, say } = setUp();
  const scoped = connect("stream", { scope: { server_types: ["demo"] } });
  say(connectFeed(LIVE, inForce(3), SNAPSHOT), change(4));
  expect(scoped.ofType("config_changed")).toMatchObject([{ revision: 4, ...NO_NAMES }]);
});

it("C1 tells that something changed while the way to the sidecar was broken, and names nothing", () => {
  const { connect, connectFeed, say } = setUp();
  const { ofType } = connect("stream");
  const feed = connectFeed(LIVE, inForce(3), SNAPSHOT);
  say(feed, inForce(3));
  expect(ofType("config_changed")).toEqual([]);
  say(feed, inForce(5));
  expect(ofType("config_changed")).toMatchObject([{ revision: 5, ...NO_NAMES }]);
});

it("C1 knows what each client was told when the shard has lost its memory", () => {
  const before = setUp();
  const { saved } = before.connect("stream");
  before.connectFeed(LIVE, inForce(3), SNAPSHOT);
  const state = saved.at(-1);
  if (!state) throw new Error("nothing was saved");
  const told = (message: FeedMessage) => {
    const { shard, feed, say } = setUp();
    const texts: string[] = [];
    const socket = {
      send: (data: string | Uint8Array) => void texts.push(String(data)),
      ...{ close: () => {}, save: () => {}, backlogBytes: () => null, heartbeatMs: () => null },
    };
    shard.restore(socket, state);
    const restored = feed();
    shard.feedRestored(restored, true);
    say(restored, message);
    return texts.map((text) => JSON.parse(text));
  };
  expect(told(inForce(3))).toEqual([]);
  expect(told(inForce(4))).toMatchObject([{ type: "config_changed", revision: 4, ...NO_NAMES }]);
  expect(told(change(4))).toEqual([change(4)]);
});

it("C1 S9 says nothing of it to VisionFlow's clients, which do not know the word", () => {
  const { connect, connectFeed, say } = setUp();
  const { frames } = connect("stream", { dialect: "visionflow" });
  const feed = connectFeed(LIVE, inForce(3), SNAPSHOT);
  const before = frames.length;
  say(feed, change(4));
  expect(frames.length).toBe(before);
});
