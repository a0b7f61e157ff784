/** From staging to production with `npm run promote` and the real CLI, on two local accounts. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ADMIN_TOKENS, TwoAccounts } from "./two-accounts.ts";

let two: TwoAccounts;
beforeAll(async () => {
  two = await TwoAccounts.start();
  await two.done("npm run -s build");
});
afterAll(() => two?.close());

const promote = (more = "") =>
  two.run(
    `npm run -s promote -- --from staging --to production --url ${two.urlOf("staging")} --to-url ${two.urlOf("production")} --yes ${more}`,
    { ADMIN_TOKEN: ADMIN_TOKENS.production, FROM_ADMIN_TOKEN: ADMIN_TOKENS.staging },
  );

it("a release is refused with every reason, overridden by name, recorded, and rolled out", async () => {
  const nowhere = await promote();
  expect(nowhere).toMatchObject({ code: 1, text: expect.stringMatching(/staging serves no release/) });

  await two.up("staging");
  const early = await promote();
  expect(early.text).toMatch(/soakMinutes is 60: it may go in \d+ min.*--override soak="why"/);
  expect(early.code).toBe(1);
  expect(await two.health("production")).toBe(404);

  const up = await two.run("npm run -s up -- --stack production --yes --skip-preview", {
    ADMIN_TOKEN: ADMIN_TOKENS.production,
  });
  expect(up.text).toContain("soak_not_over");
  expect(up.code).not.toBe(0);
  expect(await two.health("production")).toBe(404);

  const first = await promote('--override soak="the first release"');
  expect(first.text).toContain("overridden: soak: the first release");
  expect(first.code, first.text).toBe(0);
  expect(await two.health("production")).toMatchObject({ environment: "production" });
  expect(await two.versions("production")).toContain("promoted over soak: the first release");
});

it("the next release goes through the steps, and only once staging serves it", async () => {
  two.copy.replace(
    "worker/http/health.ts",
    'status: "ok",',
    'status: "ok", // another release\n    ...({ next: true }),',
  );
  await two.done("git commit -qam next && npm run -s build");
  const early = await promote();
  expect(early.text).toMatch(/staging serves [0-9a-f]{12}/);
  await two.up("staging");
  two.soak(0);
  expect((await promote("--check")).text).toMatch(/may go from staging to production/);
  const { code, text } = await promote();
  expect(text).toMatch(/0\.01 %[\s\S]*all well[\s\S]*100 %[\s\S]*all well[\s\S]*has all traffic/);
  expect(code).toBe(0);
  expect(await two.health("production")).toMatchObject({ next: true });
  expect(
    await two.done("npm run -s preview -- --stack production", { ADMIN_TOKEN: ADMIN_TOKENS.production }),
  ).toContain("unchanged");
});

it("a release whose digest was changed after the build is refused", async () => {
  two.copy.write("dist/release/index.js", `${two.copy.read("dist/release/index.js")}\n// more`);
  expect(await promote()).toMatchObject({ code: 1, text: expect.stringContaining("is not whole") });
});

it("a plan reads the stack before with that one's own token, and says where it has none", async () => {
  await two.done("npm run -s build");
  const token = two.copy.read("Pulumi.staging.yaml").match(/cloudflare:apiToken: (\S+)/)?.[1] ?? "";
  two.copy.replace("Pulumi.staging.yaml", `  cloudflare:apiToken: ${token}\n`, "");
  two.copy.replace("worker/http/health.ts", "({ next: true })", '({ next: "again" })');
  await two.done("npm run -s build");
  const plan = (env: Readonly<Record<string, string>>) =>
    two.run("npm run -s migrations -- plan --stack production", env);
  expect((await plan({})).text).toMatch(/promotion_unchecked.*FROM_CLOUDFLARE_API_TOKEN/);
  expect((await plan({ FROM_CLOUDFLARE_API_TOKEN: token })).text).toMatch(/not_promoted.*staging serves [0-9a-f]{12}/);
});
