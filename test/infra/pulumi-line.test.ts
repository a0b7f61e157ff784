/** Finds the stack of a command line for the Pulumi CLI, in every notation. */
import { describe, expect, it } from "vitest";
import { bareName, pulumiLine, withOptions } from "../../infra/apply/pulumi-line.ts";

describe("the stack of a command line", () => {
  it.each([
    ["--stack local --yes", "--yes"],
    ["--stack=local --yes", "--yes"],
    ["--yes -s local", "--yes"],
    ["-s=local", ""],
    ["-slocal", ""],
    ["-ys local", "-y"],
    ["-yfs=local --diff", "-yf --diff"],
    ["--stack staging --stack local", ""],
    ["--stack local -c a=s -mstack", "-c a=s -mstack"],
    ["--suppress-outputs -s local", "--suppress-outputs"],
  ])("%s", (line, rest) => {
    expect(pulumiLine(line.split(" "))).toEqual({
      stack: "local",
      dir: ".local",
      rest: rest === "" ? [] : rest.split(" "),
    });
  });

  it("is undefined if the line names none, or only after --", () => {
    expect(pulumiLine(["--yes", "--", "--stack", "local"])).toEqual({
      stack: undefined,
      dir: ".local",
      rest: ["--yes", "--", "--stack", "local"],
    });
    expect(pulumiLine(["--stack"]).stack).toBeUndefined();
  });

  it("is the same with its organization and project in front", () => {
    expect(["local", "me/local", "me/durable-stack/local", "me/durable-stack/locals"].map(bareName)).toEqual([
      "local",
      "local",
      "local",
      "locals",
    ]);
  });
});

it("the account's folder is removed, because the CLI has no such option", () => {
  expect(pulumiLine(["--dir", "x", "--stack=local", "--json"])).toEqual({ stack: "local", dir: "x", rest: ["--json"] });
  expect(pulumiLine(["--dir=x"]).dir).toBe("x");
});

it("further options are put where the CLI reads them as options", () => {
  expect(withOptions(["--yes", "--", "x"], "--stack", "local")).toEqual(["--yes", "--stack", "local", "--", "x"]);
  expect(withOptions([], "--json")).toEqual(["--json"]);
});
