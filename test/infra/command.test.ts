/** How a command ends when something is wrong: a person's mistake is one message, a bug shows its stack. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";
import { isUserError, UserError } from "../../infra/stack/user-error.ts";

const dir = mkdtempSync(join(tmpdir(), "durable-stack-command-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const module = (file: string) => JSON.stringify(pathToFileURL(join(ROOT, file)).href);

/** Runs a command whose work is `work`. */
function run(work: string) {
  const file = join(dir, "command.mjs");
  writeFileSync(
    file,
    `import { orFail } from ${module("infra/commands/command.ts")};
     import { UserError } from ${module("infra/stack/user-error.ts")};
     await orFail(async () => { ${work} });`,
  );
  const { status, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  return { status, stderr };
}

describe("a command", () => {
  it("prints a user's mistake as one message", () => {
    expect(run('throw new UserError("There is no stack x.")')).toEqual({ status: 1, stderr: "There is no stack x.\n" });
  });

  it("ends quietly where Ctrl-C has ended a program that it waits for", () => {
    const interrupted = `const { execFileSync } = await import("node:child_process");
      execFileSync("sh", ["-c", "kill -INT $$"]);`;
    expect(run(interrupted)).toEqual({ status: 130, stderr: "" });
  });

  it("shows the stack trace of a bug, and says that it is a bug", () => {
    const { status, stderr } = run("undefined.name");
    expect(status).toBe(70);
    expect(stderr).toMatch(/TypeError: [\s\S]+ at [\s\S]+This is a bug of the command/);
  });
});

it("has errors for people that Pulumi takes for its own, and takes Pulumi's for them", () => {
  expect(pulumi.RunError.isInstance(new UserError("Set the account's id."))).toBe(true);
  expect(isUserError(new pulumi.RunError("Set the account's id."))).toBe(true);
  expect(pulumi.RunError.isInstance(new Error("a bug"))).toBe(false);
});
