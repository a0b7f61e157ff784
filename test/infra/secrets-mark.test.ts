/** The mark of a stack's secrets tells tokens apart, but reveals too little to confirm a guess. */
import { expect, it } from "vitest";
import { secretsMark } from "../../infra/stack/secrets-mark.ts";

const stack = { project: "durable-stack", stack: "staging", adminToken: "a-token-that-is-long-enough" };

it("is the same for the same secrets, and differs for other secrets or another stack", async () => {
  const other = "another-that-is-long-enough";
  const marks = await Promise.all(
    [
      stack,
      { ...stack, adminToken: other },
      { ...stack, adminTokenPrevious: other },
      { ...stack, adminToken: other, adminTokenPrevious: stack.adminToken },
      { ...stack, stack: "production" },
    ].map(secretsMark),
  );
  expect(await secretsMark({ ...stack })).toBe(marks[0]);
  expect(new Set(marks).size).toBe(marks.length);
});

it("has 16 bits, so that very many tokens share each mark", async () => {
  expect(await secretsMark(stack)).toMatch(/^[0-9a-f]{4}$/);
});
