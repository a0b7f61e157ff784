/** How a command ends when something is wrong: a person's mistake is one message, a bug shows its stack. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { inFull, isUserError, UserError } from "../../infra/common/user-error.ts";
import { ApiError, type Method } from "../../infra/provider/api.ts";
import { scratch } from "../scratch.ts";
import { module, runWork } from "./own-process.ts";

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
      const answer = Response.json({}, { status: 403 });
      throw new ApiError({ method: "get", path: "/accounts/a" }, "10000 no", answer, undefined);`;
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

describe("what to do about an answer of the API", () => {
  const fixOf = (method: Method, status: number): string => {
    const error = new ApiError({ method, path: "/a" }, "10000 no", Response.json({}, { status }), undefined);
    return inFull(error).replace(`${method.toUpperCase()} /a was answered ${status}: 10000 no`, "");
  };

  it("is about what was asked: to read, or to change something", () => {
    expect(fixOf("get", 403)).toMatch(/^\nFix: give a token that is valid and may read this account's Workers, /);
    expect(fixOf("get", 400)).toBe(fixOf("get", 403));
    const edit =
      "\nFix: give a token that is valid and may edit what the request is about, and see that accountId is the account it is for.";
    expect([fixOf("delete", 403), fixOf("put", 401)]).toEqual([edit, edit]);
    for (const method of ["get", "post"] as const) {
      expect(fixOf(method, 404)).toMatch(/^\nFix: see that accountId is the right one, /);
      expect(fixOf(method, 408)).toBe("\nFix: run it again.");
      expect(fixOf(method, 503)).toMatch(/^\nFix: wait, and run it again when /);
    }
  });

  it.each([400, 409, 412])("is in its own words where a change is answered %s", (status) => {
    expect(fixOf("put", status)).toBe("");
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
