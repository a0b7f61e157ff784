/** The mark of a stack's secrets tells secrets apart, but reveals too little to confirm a guess. */
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { secretsMark } from "../../infra/stack/secrets-mark.ts";

const owner = { project: "durable-stack", stack: "staging" };
const secrets = { ADMIN_TOKEN: "a-token-that-is-long-enough" };

it("is the same for the same secrets, and differs for other secrets or another stack", async () => {
  const other = "another-that-is-long-enough";
  const marks = await Promise.all([
    secretsMark(owner, secrets),
    ...[
      { ADMIN_TOKEN: other },
      { ...secrets, ADMIN_TOKEN_PREVIOUS: other },
      { ADMIN_TOKEN: other, ADMIN_TOKEN_PREVIOUS: secrets.ADMIN_TOKEN },
      { ...secrets, STRIPE_KEY: other },
      { ...secrets, STRIPE_KEY: secrets.ADMIN_TOKEN },
      { ...secrets, MAIL_KEY: other },
    ].map((each) => secretsMark(owner, each)),
    secretsMark({ ...owner, stack: "production" }, secrets),
  ]);
  expect(await secretsMark(owner, { ...secrets, ADMIN_TOKEN_PREVIOUS: undefined, STRIPE_KEY: undefined })).toBe(
    marks[0],
  );
  expect(new Set(marks).size).toBe(marks.length);
});

it("does not follow a secret that only a resource knows", async () => {
  const made = { ...secrets, DB_PASSWORD: pulumi.output("known later") };
  expect(await secretsMark(owner, made)).toBe(await secretsMark(owner, secrets));
});

it("has 16 bits, so that very many tokens share each mark", async () => {
  expect(await secretsMark(owner, secrets)).toMatch(/^[0-9a-f]{4}$/);
});
