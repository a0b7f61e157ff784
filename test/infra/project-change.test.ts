/** Commands that change the project's files: what they say before, and where they end in the middle. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { obstaclesToRemoval } from "../../infra/pattern/remove.ts";
import { ROOT } from "../../infra/release/root.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";
import { scratch } from "../scratch.ts";

const dir = scratch();

describe("a command that changes the project's files", () => {
  // Of a project with one pattern, none.
  const free = patterns.filter(({ folder }) => obstaclesToRemoval([folder], { patterns }).length === 0).slice(0, 1);
  it.each([
    ["adds a pattern", "pattern.ts add try-out"],
    ...free.map(({ folder }) => ["takes one out", `pattern.ts remove ${folder}`]),
  ])("and %s says before that it makes others anew", (_, line = "") => {
    const [file = "", ...args] = line.split(" ");
    const command = join(ROOT, "infra/commands", file);
    const { status, stdout } = spawnSync(process.execPath, [command, ...args, "--dry-run"], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^worker-configuration\.d\.ts +made anew: npm run types$/m);
    expect(stdout).toMatch(/^docs\/access\.md +made anew: npm run access$/m);
  });
});

describe("a change of the project that ends in the middle", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
    copy.commit("v1");
  });
  afterAll(() => copy?.remove());
  const UNDO = "git checkout -- . && git clean -fd .";
  const isAsBefore = async () => {
    expect(await copy.run(UNDO)).toMatchObject({ code: 0 });
    expect(await copy.run("git status --porcelain")).toEqual({ code: 0, text: "" });
  };

  it("because a tool fails says what that said, and how all is as before", async () => {
    const home = join(dir, "home");
    symlinkSync(home, home);
    // Wrangler looks for its own settings there.
    const env = { HOME: home, XDG_CONFIG_HOME: dir, GIT_CONFIG_GLOBAL: "/dev/null" };
    const { code, text } = await copy.run("node infra/commands/pattern.ts add jobs", { env });
    expect(text).toMatch(/`node node_modules\/wrangler\/\S+ types .*` failed:\n[\s\S]*ELOOP/);
    expect(text).toContain(
      `Only a part of this is done. To take it back, which leaves all as it was committed: ${UNDO}`,
    );
    expect(text).not.toContain("This is a bug");
    expect(code).toBe(1);
    await isAsBefore();
  });

  it("by Ctrl-C says how all is as before, or that it was done", async () => {
    const before = copy.read("worker-configuration.d.ts");
    const child = copy.start("exec node infra/commands/pattern.ts add jobs", { detached: true });
    let text = "";
    child.stderr.on("data", (chunk) => (text += String(chunk)));
    const ended = once(child, "close");
    // What is made of the changes is being made.
    await expect.poll(() => copy.read("worker-configuration.d.ts") !== before, { timeout: 60_000 }).toBe(true);
    if (child.pid !== undefined) process.kill(-child.pid, "SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(text).toMatch(
      /^\nInterrupted\. (Only a part of this is done\. .*git clean|All of it was done all the same)/,
    );
    await isAsBefore();
  });
});
