/** The admin token that an update needs: a command looks for it before it changes the settings. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { exportedToken, mustFindToken } from "../../infra/stack/token-at-hand.ts";
import { scratch } from "../scratch.ts";

const root = scratch();
writeFileSync(
  join(root, "Pulumi.yaml"),
  'name: shop\nmain: infra\nconfig:\n  adminToken: { default: "", secret: true }\n',
);

const TOKEN = "a-token-that-is-long-enough";
const looking =
  (file: string, env: Readonly<Record<string, string>> = {}, stack = "production") =>
  () => {
    writeFileSync(join(root, `Pulumi.${stack}.yaml`), file);
    mustFindToken(stack, { env, root });
  };

it.each([
  ["in the stack's file, encrypted", "config:\n  shop:adminToken:\n    secure: v1:abc:def\n"],
  ["there without the project's name", "config:\n  adminToken:\n    secure: v1:abc:def\n"],
  ["there in plain text", `config:\n  adminToken: ${TOKEN}\n`],
  ["perhaps in an environment of Pulumi's", "environment: [shop/production]\nconfig: {}\n"],
])("is found %s", (_, file) => expect(looking(file)).not.toThrow());

it("is found in ADMIN_TOKEN, and for the stack local in its account", () => {
  expect(looking("config: {}\n", { ADMIN_TOKEN: TOKEN })).not.toThrow();
  expect(looking("config: {}\n", {}, "local")).not.toThrow();
});

it("of the environment is none of the stack local", () => {
  expect([exportedToken("production", { ADMIN_TOKEN: TOKEN }), exportedToken("local", { ADMIN_TOKEN: TOKEN })]).toEqual(
    [TOKEN, undefined],
  );
});

it("is asked for where nothing has it, with what to do where only CI does", () => {
  for (const env of [{}, { ADMIN_TOKEN: "" }]) {
    expect(looking('config:\n  adminToken: ""\n', env)).toThrow(
      /that of production is not at hand\. Nothing was changed\. Fix: export it as ADMIN_TOKEN\. .*docs\/runbooks\.md/,
    );
  }
});

it("is refused where no Worker takes it, and never shown", () => {
  const short = looking("config: {}\n", { ADMIN_TOKEN: "hunter2" });
  expect(short).toThrow(/that of production in ADMIN_TOKEN must have at least 24 characters\. Nothing was changed/);
  expect(short).not.toThrow(/hunter2/);
});
