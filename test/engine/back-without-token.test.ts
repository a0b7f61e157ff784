/** Production's admin token is a secret of CI alone, and a terminal takes its traffic back all the same. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ADMIN_TOKENS, TwoAccounts } from "./two-accounts.ts";

const STACK = "production";
const FILE = "Pulumi.production.yaml";

let two: TwoAccounts;
beforeAll(async () => {
  two = await TwoAccounts.start();
  two.copy.replace(FILE, "promotesFrom: staging", 'promotesFrom: ""');
  await two.done("npm run -s build");
  await two.up(STACK);
});
afterAll(() => two?.close());

/** The lines of the versions that serve, by number, with the note beside each. */
async function serving(): Promise<Readonly<Record<string, string>>> {
  const list = await two.done(`npm run -s rollback -- --stack ${STACK} --list`);
  return Object.fromEntries([...list.matchAll(/^(\d+) .* (\d+ %)/gm)].map(([, number, share]) => [number, share]));
}

it("a rollback and the end of a rollout need no admin token, and what makes a version asks for it first", async () => {
  // Another setting makes another version of the release.
  two.copy.replace(FILE, "config:\n", "config:\n  anonymousDays: 8\n  rollout: 10\n");
  await two.up(STACK);
  expect(await serving()).toEqual({ 2: "10 %", 1: "90 %" });
  const before = two.copy.read(FILE);
  const set = await two.run(`npm run -s rollout -- set 50 --stack ${STACK} --yes`);
  expect([set.code, set.text]).toEqual([1, expect.stringContaining("that of production is not at hand. Nothing was")]);
  expect(two.copy.read(FILE)).toBe(before);

  await two.done(`npm run -s rollout -- abandon --stack ${STACK} --yes`);
  expect(await serving()).toEqual({ 1: "100 %" });

  two.copy.replace(FILE, "rollout: 0", "rollout: 100");
  await two.up(STACK);
  expect(await serving()).toEqual({ 3: "100 %" });
  const back = await two.done(`npm run -s rollback -- --stack ${STACK} --to 1 --yes`);
  expect(back).toMatch(/release_not_uploaded.*setting_wrong adminToken[\s\S]*Version 1 has all traffic/);
  expect(await serving()).toEqual({ 1: "100 %" });

  const pinned = two.copy.read(FILE);
  const unpin = `npm run -s rollback -- --stack ${STACK} --unpin --yes`;
  const refused = await two.run(unpin);
  expect([refused.code, refused.text]).toEqual([1, expect.stringContaining("Nothing was changed. Fix: export it as")]);
  expect(two.copy.read(FILE)).toBe(pinned);
  expect(await serving()).toEqual({ 1: "100 %" });

  await two.done(unpin, { ADMIN_TOKEN: ADMIN_TOKENS.production });
  expect(Object.values(await serving())).toEqual(["100 %"]);
  expect(await serving()).not.toHaveProperty("1");
});
