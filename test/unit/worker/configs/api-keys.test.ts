import { expect, it } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../../../shared/limits.ts";
import { ApiKeys, ApiKeyVariables } from "../../../../worker/configs/api-keys.ts";
import { webSha256 } from "../../../../worker/web-crypto.ts";

const KEY = "k".repeat(32);
const Variables = z.object(ApiKeyVariables);
const holders = (keys: unknown) => Variables.parse({ API_KEYS: JSON.stringify(keys) }).API_KEYS;
const wrongIn = (keys: unknown) => Variables.safeParse({ API_KEYS: JSON.stringify(keys) }).error?.issues[0];

it("C2 knows each key's holder, for what it may and no more", async () => {
  const narrow = { key: `${KEY}2`, hives: ["one"], permissions: ["config:read", "tools:call:files__*"] };
  const keys = new ApiKeys(holders({ all: KEY, narrow }), webSha256);
  const all = await keys.identify(KEY, 0);
  expect(all).toMatchObject({
    ...{ subject: "key:all", hives: ["*"], scope: {} },
    permissions: ["config:read", "config:write", "tools:call", "resources:read"],
  });
  expect(await keys.identify(`${KEY}2`, 0)).toMatchObject({
    ...{ subject: "key:narrow", hives: ["one"], permissions: narrow.permissions },
  });
  // What is worked out for a client is remembered by this object.
  expect(await keys.identify(KEY, 1)).toBe(all);
});

it("C2 T7 S8 refuses what is no key, and after many of them says to wait; a right one is let in all the same", async () => {
  const keys = new ApiKeys(holders({ all: KEY }), webSha256);
  const codes = new Set<unknown>();
  for (let i = 0; i < LIMITS.wrongKeyBurst; i++)
    codes.add(await keys.identify(KEY.slice(1) + i, 0).catch(({ code }) => code));
  expect([...codes]).toEqual(["unauthorized"]);
  await expect(keys.identify("", 0)).rejects.toMatchObject({ code: "rate_limited" });
  expect(await keys.identify(KEY, 0)).toMatchObject({ subject: "key:all" });
  await expect(keys.identify("", 1_000)).rejects.toMatchObject({ code: "unauthorized" });
  await expect(new ApiKeys([], webSha256).identify(KEY, 0)).rejects.toMatchObject({ code: "unauthorized" });
});

it.each([
  ["a short key", { a: KEY.slice(1) }],
  ["a key with a space", { a: `${KEY} ${KEY}` }],
  ["one key of two names", { a: KEY, b: { key: KEY } }],
  ["a name that is none", { "a b": KEY }],
  ["a permission that is not known", { a: { key: KEY, permissions: ["config:all"] } }],
  ["a setting that is not known", { a: { key: KEY, permission: ["config:read"] } }],
  ["no object", [KEY]],
])("C2 H8 does not start with %s, and does not say the key", (_, keys) => {
  const issue = wrongIn(keys);
  expect(issue?.path[0]).toBe("API_KEYS");
  expect(JSON.stringify(issue)).not.toContain(KEY.slice(1));
});
