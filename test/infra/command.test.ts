/** How a command ends when something is wrong: a person's mistake is one message, a bug shows its stack. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, describe, expect, it } from "vitest";
import { workerUrl } from "../../infra/commands/command.ts";
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

describe("a mistake at the command line", () => {
  it.each([
    ["rehearse.ts --from v1 --stack nope", /^this checkout: There is no Pulumi\.nope\.yaml\. Stacks: .*local.*\.$/],
    ["pr.ts look --base nope", /^There is no commit "nope" here .*`git fetch --unshallow`.*\.$/],
  ])("is told in a sentence: %s", (line, sentence) => {
    const [file = "", ...args] = line.split(" ");
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "infra/commands", file), ...args], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(stderr.trimEnd()).toMatch(sentence);
    expect(status).toBe(1);
  });
});

describe("where a Worker answers", () => {
  it("is an address without anything behind the host", () => {
    for (const text of ["https://my-app.example.workers.dev", "http://127.0.0.1:8787/", "HTTP://[::1]:80"]) {
      expect(workerUrl(text).href).toBe(new URL(text).href);
    }
  });

  it.each(["/foo", "/?a=b", "/#admin=token", "/foo/"])("is refused with %s", (more) => {
    expect(() => workerUrl(`http://127.0.0.1:8787${more}`)).toThrow(
      "It must be where the Worker's paths begin, without a user, a path, a query or a fragment: http://127.0.0.1:8787",
    );
  });

  it.each(["127.0.0.1:8787", "ftp://127.0.0.1", ""])("is refused where it is no address of the web: %j", (text) => {
    expect(() => workerUrl(text)).toThrow("It must be a URL that begins with http:// or https://.");
  });
});

it("has errors for people that Pulumi takes for its own, and takes Pulumi's for them", () => {
  expect(pulumi.RunError.isInstance(new UserError("Set the account's id."))).toBe(true);
  expect(isUserError(new pulumi.RunError("Set the account's id."))).toBe(true);
  expect(pulumi.RunError.isInstance(new Error("a bug"))).toBe(false);
});
