/** A state in a folder that is damaged or gone, put right as docs/state.md says, with the real CLI. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { type Ended, ProjectCopy } from "../project-copy.ts";
import { Ground } from "./ground.ts";

const NAME = projectName();

/** Reads the state before anything else. */
const DESTROY = "npm run -s destroy -- --stack staging --yes";
/** What comes after the state was read: the account is asked, and nothing answers. */
const IN_ORDER = "was not answered";
const ACCOUNT = {
  CLOUDFLARE_BASE_URL: "http://127.0.0.1:9/client/v4",
  CLOUDFLARE_API_TOKEN: "token",
  CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
};

let copy: ProjectCopy;
let ground: Ground;
let state: string;
let lock: string;
beforeAll(async () => {
  ground = await Ground.make();
  copy = new ProjectCopy();
  state = ground.stateFile("staging");
  lock = join(ground.backend, `.pulumi/locks/organization/${NAME}/staging/left.json`);
  expect(await run("pulumi stack init staging")).toMatchObject({ code: 0 });
});
afterAll(() => {
  copy?.remove();
  ground?.remove();
});

const run = (command: string): Promise<Ended> => copy.run(...ground.command(copy, command, ACCOUNT));

it("a copy of it goes back over a damaged one, once its .attrs is deleted", async () => {
  const good = readFileSync(state);
  for (const file of [state, `${state}.attrs`]) writeFileSync(file, "");
  const damaged = await run(DESTROY);
  expect(damaged.text).toMatch(
    /failed to load checkpoint[\s\S]*staging\.json\.attrs[\s\S]*docs\/state\.md, "Back up and restore"/,
  );
  expect(damaged.text).not.toContain("stack init");
  writeFileSync(state, good);
  expect((await run(DESTROY)).text).toContain("failed to load checkpoint: EOF");
  rmSync(`${state}.attrs`);
  expect((await run(DESTROY)).text).toContain(IN_ORDER);
});

it("another stack's file in its place is refused, whoever copied it there", async () => {
  const own = readFileSync(state);
  const urn = `urn:pulumi:production::${NAME}::pulumi:pulumi:Stack::${NAME}-production`;
  const file = {
    version: 3,
    checkpoint: {
      stack: `organization/${NAME}/production`,
      latest: {
        manifest: { time: "2026-01-01T00:00:00Z", magic: "", version: "" },
        resources: [{ urn, type: "pulumi:pulumi:Stack", custom: false }],
      },
    },
  };
  writeFileSync(state, JSON.stringify(file));
  rmSync(`${state}.attrs`, { force: true });
  expect((await run(DESTROY)).text).toMatch(
    `The state of staging is another's. It has resources of the stack production of the project ${NAME}, and this is staging`,
  );
  writeFileSync(state, own);
  rmSync(`${state}.attrs`, { force: true });
  expect((await run(DESTROY)).text).toContain(IN_ORDER);
});

it("one that is gone is made anew once a lock that was left is deleted", async () => {
  for (const file of [state, `${state}.attrs`]) rmSync(file, { force: true });
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(lock, JSON.stringify({ pid: 1, username: "u", hostname: "h", timestamp: "2026-01-01T00:00:00Z" }));
  expect((await run(DESTROY)).text).toMatch(/pulumi stack init staging[\s\S]*delete the lock file that it names/);
  expect((await run("pulumi stack init staging")).text).toContain(lock);
  expect((await run("pulumi cancel staging --yes")).text).toContain("no stack named 'staging' found");
  rmSync(lock);
  expect(await run("pulumi stack init staging")).toMatchObject({ code: 0 });
  expect((await run(DESTROY)).text).toContain(IN_ORDER);
});
