/** The workflow that rotates the admin token, by its own lines: which token works afterwards, and after a kill. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { projectName } from "../../infra/stack/project.ts";
import { takesToken } from "../admin-token.ts";
import { Pipeline } from "./release-run.ts";
import { ADMIN_TOKENS } from "./two-accounts.ts";

const NAME = projectName();

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await Pipeline.start();
  await (await pipeline.push("one")).done("build", "staging");
});
afterAll(() => pipeline?.close());

const secret = (name = "ADMIN_TOKEN") => pipeline.github.secret("staging", name) ?? "";

const works = (token: string) => takesToken(pipeline.two.urlOf("staging"), token);

it("makes a token that works, beside the one before, which then ends", async () => {
  // Before it changes anything: production's secret may be one that follows.
  pipeline.github.down = "secret list production";
  expect(await pipeline.rotate("staging", "rotate")).toMatchObject({ ok: false, text: expect.stringContaining("503") });
  expect([secret(), secret("ADMIN_TOKEN_PREVIOUS")]).toEqual([ADMIN_TOKENS.staging, ""]);
  pipeline.github.down = undefined;

  const rotated = await pipeline.rotate("staging", "rotate");
  expect(rotated, rotated.text).toMatchObject({ ok: true });
  expect([secret("ADMIN_TOKEN_PREVIOUS"), secret()]).toEqual([
    ADMIN_TOKENS.staging,
    expect.stringMatching(/^[0-9a-f]{64}$/),
  ]);
  expect([await works(secret()), await works(ADMIN_TOKENS.staging)]).toEqual([true, true]);
  // Production's job smoke-tests staging with it.
  expect(pipeline.github.secret("production", "FROM_ADMIN_TOKEN")).toBe(secret());

  // A secret that stays would make its token work again with the next release.
  pipeline.github.down = "secret delete staging";
  expect(await pipeline.rotate("staging", "end")).toMatchObject({ ok: false, text: expect.stringContaining("503") });
  expect(secret("ADMIN_TOKEN_PREVIOUS")).toBe(ADMIN_TOKENS.staging);
  pipeline.github.down = undefined;

  const ended = await pipeline.rotate("staging", "end");
  expect(ended, ended.text).toMatchObject({ ok: true });
  expect(secret("ADMIN_TOKEN_PREVIOUS")).toBe("");
  expect([await works(secret()), await works(ADMIN_TOKENS.staging)]).toEqual([true, false]);
});

it("leaves a secret that works where it is killed, ends a leaked token when run again, and shows none", async () => {
  const leaked = secret();
  expect(await pipeline.rotate("staging", "leaked", { kill: /secret set/ })).toMatchObject({ code: null });
  await pipeline.two.run("pulumi cancel --yes --stack staging");
  expect([secret(), await works(secret())]).toEqual([leaked, true]);

  // Ended at its last step, so that there is an output to look into.
  const { text } = await pipeline.rotate("staging", "leaked", {
    kill: /secret set/,
    killWhen: /(ok +release[\s\S]*){2}/,
  });
  const next = secret();
  expect([text.split(next).length - 1, text.includes(`::add-mask::${next}`), text.includes(leaked)]).toEqual([
    1,
    true,
    false,
  ]);
  expect([await works(secret()), await works(leaked)]).toEqual([true, false]);
});

it("is said by a rollback that would take it back, before it asks", async () => {
  await pipeline.two.done("npm run -s build");
  const { code, text } = await pipeline.two.run("npm run -s rollback -- --stack staging");
  expect(text).toMatch(
    /^Version \d+ has other secrets than version \d+: a token that was ended since is valid there again/,
  );
  expect([code, await works(secret())]).toEqual([1, true]);
});

it.each(["pin: 1", "rollout: 0", 'rollout: "50" # half'])(
  "rotates nothing where another version would serve, with the tokens of its time: %s",
  async (setting) => {
    const before = secret();
    pipeline.two.copy.replace("Pulumi.staging.yaml", "config:\n", `config:\n  ${setting}\n`);
    await pipeline.two.done("git commit -qam held");
    for (const what of ["rotate", "end", "leaked"] as const)
      expect((await pipeline.rotate("staging", what)).text).toContain("has a pin, or a rollout below 100");
    expect([secret(), await works(secret())]).toEqual([before, true]);
    await pipeline.two.done("git revert --no-edit HEAD");
  },
);

it("rotates nothing while versions share the traffic, as where a CI job has left a rollout", async () => {
  const before = secret();
  const shares = async () => (await pipeline.two.run("npm run -s rollout -- status --stack staging")).text;
  const [, newest] = /version (\d+) /.exec(await shares()) ?? [];
  await pipeline.two.split("staging", { 1: 90, [Number(newest)]: 10 });
  for (const what of ["rotate", "end", "leaked"] as const) {
    const { ok, text } = await pipeline.rotate("staging", what);
    expect([ok, text]).toEqual([false, expect.stringMatching(/a rollout is under way.*abandon --stack staging/)]);
  }
  expect(await shares()).toMatch(/version 1 \(\w+\) 90 %/);
  await pipeline.two.move("staging", Number(newest));
  expect([secret(), await works(secret())]).toEqual([before, true]);
});

it("keeps the secret as it was where what serves does not take the new token", { tags: ["nightly"] }, async () => {
  const before = secret();
  // A spelling that the step before does not see.
  pipeline.two.copy.replace("Pulumi.staging.yaml", "config:\n", `config:\n  ${NAME}:rollout: +0\n`);
  await pipeline.two.done("git commit -qam held");
  expect((await pipeline.rotate("staging", "rotate")).text).toContain("refused the admin token");
  expect([secret(), await works(secret())]).toEqual([before, true]);
  await pipeline.two.done("git revert --no-edit HEAD");
});

it("builds the release where its artifact is gone, and takes it only if it is the one that serves", async () => {
  // Nor is there an environment of production, which a project may not have yet.
  pipeline.github.removeEnvironment("production");
  pipeline.github.forgetArtifacts();
  const before = secret();
  const rotated = await pipeline.rotate("staging", "leaked");
  expect(rotated, rotated.text).toMatchObject({ ok: true });
  const next = secret();
  expect([next === before, await works(next), await works(before)]).toEqual([false, true, false]);

  pipeline.two.copy.replace("worker/http/health.ts", 'status: "ok",', 'status: "ok", ...({ more: 1 }),');
  await pipeline.two.done("git commit -qam other");
  expect((await pipeline.rotate("staging", "leaked")).text).toContain("this source builds another one");
  expect([secret(), await works(next)]).toEqual([next, true]);
  await pipeline.two.done("git revert --no-edit HEAD");
});

it("rotates nothing where the stack's file has a token of its own, which would go before the secret", async () => {
  const before = secret();
  pipeline.two.copy.replace("Pulumi.staging.yaml", "config:\n", "config:\n  adminToken: a-token-that-is-long-enough\n");
  await pipeline.two.done("git commit -qam own");
  expect((await pipeline.rotate("staging", "rotate")).text).toContain("Rotate by hand");
  expect(secret()).toBe(before);
});
