/** How a command ends when something is wrong: a person's mistake is one message, a bug shows its stack. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { isUserError, UserError } from "../../infra/common/user-error.ts";
import { module, runWork, scratch } from "./own-process.ts";

const dir = scratch();

describe("a command", () => {
  it("prints a user's mistake as one message", () => {
    expect(runWork(dir, 'throw new UserError("There is no stack x.")')).toEqual({
      status: 1,
      stderr: "There is no stack x.\n",
    });
  });

  it("prints what to do about an answer of the API, which says only what was wrong", () => {
    const refused = `const { ApiError } = await import(${module("infra/provider/api.ts")});
      throw new ApiError("GET /accounts/a", "10000 no", Response.json({}, { status: 403 }), undefined);`;
    expect(runWork(dir, refused)).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^GET \/accounts\/a was answered 403: 10000 no\nFix: give a token that .*\n$/),
    });
  });

  it("ends quietly where Ctrl-C has ended a program that it waits for", () => {
    const interrupted = `const { execFileSync } = await import("node:child_process");
      execFileSync("sh", ["-c", "kill -INT $$"]);`;
    expect(runWork(dir, interrupted)).toEqual({ status: 130, stderr: "" });
  });

  it("ends by its own listener where Ctrl-C is known only after what it has ended has failed", () => {
    // A program's end is known while the event loop hears of files and pipes, as of this read.
    const pending = `process.on("SIGINT", () => process.exit(130));
      await (await import("node:fs/promises")).stat(".");
      process.kill(process.pid, "SIGINT");
      throw new Error("The service was stopped");`;
    expect(runWork(dir, pending)).toEqual({ status: 130, stderr: "" });
  });

  it("shows the stack trace of a bug, and says that it is a bug", () => {
    const { status, stderr } = runWork(dir, "undefined.name");
    expect(status).toBe(70);
    expect(stderr).toMatch(/TypeError: [\s\S]+ at [\s\S]+This is a bug of the command/);
  });
});

it("a command goes on to its end where nobody reads what it prints any more", async () => {
  const file = join(dir, "unread.mjs");
  writeFileSync(
    file,
    `import { once } from "node:events";
     import { orFail } from ${module("infra/commands/command.ts")};
     await orFail(async () => {
       console.log("the only line that is read");
       process.stdin.resume();
       await once(process.stdin, "end");
       for (let i = 0; i < 3; i++) {
         console.log("nobody reads this");
         await new Promise(setImmediate);
       }
       console.error("finished");
     });`,
  );
  const command = spawn(process.execPath, [file]);
  command.stdout.once("data", () => command.stdout.destroy());
  command.stdout.once("close", () => command.stdin.end());
  let printed = "";
  command.stderr.on("data", (text) => {
    printed += text;
  });
  expect(await once(command, "close")).toEqual([0, null]);
  expect(printed).toBe("finished\n");
});

it("has errors for people that Pulumi takes for its own, and takes Pulumi's for them", () => {
  expect(pulumi.RunError.isInstance(new UserError("Set the account's id."))).toBe(true);
  expect(isUserError(new pulumi.RunError("Set the account's id."))).toBe(true);
  expect(pulumi.RunError.isInstance(new Error("a bug"))).toBe(false);
});
