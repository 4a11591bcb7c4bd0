import { describe, expect, it } from "vitest";
import { expectedOf, isKnown } from "../../../sidecar/config/preconditions.ts";

const expected = (ifMatch: string | undefined, ifNoneMatch: string | undefined, current: number | null) => {
  try {
    return expectedOf({ ifMatch, ifNoneMatch }, current);
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown ? thrown.code : thrown;
  }
};

describe("C2 which version a change is about", () => {
  it.each([
    ["there is none and nothing is said", undefined, undefined, null, "none"],
    ["there is one and nothing is said", undefined, undefined, 7, "precondition_required"],
    ["the one that is there", '"7"', undefined, 7, 7],
    ["one of several", '"5", "7" ,"9"', undefined, 7, 7],
    ["any that is there", "*", undefined, 7, 7],
    ["any, and there is none", "*", undefined, null, "precondition_failed"],
    ["another one", '"6"', undefined, 7, "precondition_failed"],
    ["one, and there is none", '"7"', undefined, null, "precondition_failed"],
    ["only weakly the same", 'W/"7"', undefined, 7, "precondition_failed"],
    ["a tag with a comma, beside the one", '"a,b", "7"', undefined, 7, 7],
    ["no tag at all", "7", undefined, 7, "invalid_request"],
    ["a tag that does not end", '"7', undefined, 7, "invalid_request"],
    ["none must be there, and none is", undefined, "*", null, "none"],
    ["none must be there, and one is", undefined, "*", 7, "precondition_failed"],
    ["not this one, and it is", undefined, 'W/"7"', 7, "precondition_failed"],
    ["not that one, and it is another", undefined, '"6"', 7, 7],
    ["this one and not that one", '"7"', '"6"', 7, 7],
  ])("C2 %s", (_, ifMatch, ifNoneMatch, current, outcome) => {
    expect(expected(ifMatch, ifNoneMatch, current)).toBe(outcome);
  });

  it.each([
    [undefined, false],
    ['"7"', true],
    ['W/"7"', true],
    ['"6", W/"7"', true],
    ["*", true],
    ['"6"', false],
  ])("C2 who has %s need not be sent 7: %s", (ifNoneMatch, known) => {
    expect(isKnown(ifNoneMatch, 7)).toBe(known);
  });
});
