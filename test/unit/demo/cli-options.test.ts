import { describe, expect, it } from "vitest";
import { readCommand, UsageError } from "../../../sidecar/demo/cli-options.ts";

describe("the command line of hive-mind", () => {
  it("H1 reads a spawn with all its options", () => {
    const args = ["spawn", "--format=json", "--priority", "High", "--max-workers", "3", "--verbose", "do it"];
    expect(readCommand(args)).toEqual({
      name: "spawn",
      format: "json",
      priority: "High",
      "max-workers": 3,
      verbose: true,
      operands: ["do it"],
    });
  });

  it("H1 takes the text after -- literally, whatever it looks like", () => {
    for (const text of ["--priority", "--", "-h", "$(reboot)", "a \"b\"\n'c'", "--format json"]) {
      expect(readCommand(["spawn", "--format", "json", "--", text])).toMatchObject({
        format: "json",
        priority: "Medium",
        operands: [text],
      });
    }
  });

  it("offers help", () => {
    for (const args of [[], ["help"], ["--help"], ["-h"], ["spawn", "--help"]]) {
      expect(readCommand(args)).toMatchObject({ name: "help" });
    }
  });

  it("H4 knows which commands take which operands", () => {
    expect(readCommand(["status"])).toMatchObject({ operands: [] });
    expect(readCommand(["status", "swarm-1", "--format", "json"])).toMatchObject({ operands: ["swarm-1"] });
    expect(readCommand(["stop", "swarm-1"])).toMatchObject({ name: "stop", operands: ["swarm-1"] });
  });

  it.each([
    [["freeze", "swarm-1"], 'no command "freeze"'],
    [["pause"], "pause: wrong number of arguments"],
    [["constructor"], 'no command "constructor"'],
    [["stop"], "stop: wrong number"],
    [["stop", "a", "b"], "stop: wrong number"],
    [["init", "now"], "init: wrong number"],
    [["spawn"], "one TEXT"],
    [["spawn", "count", "primes"], "quote it"],
    [["spawn", ""], "needs a text"],
    [["spawn", "x".repeat(65_537)], "at most 65536 bytes"],
    [["spawn", "x", "--priority", "high"], "--priority"],
    [["spawn", "x", "--max-workers", "0"], "--max-workers"],
    [["spawn", "x", "--format", "yaml"], "--format"],
    [["spawn", "--claude", "x"], "--claude"],
    [["status", "--verbose"], "no option --verbose"],
  ])("H4 refuses %j", (args, reason) => {
    expect(() => readCommand(args)).toThrow(UsageError);
    expect(() => readCommand(args)).toThrow(reason);
  });
});
