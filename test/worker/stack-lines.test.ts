/** What a failed test prints of its place. */
import { expect, it } from "vitest";

/** Takes lines that are not in the code which runs. */
interface Lines {
  readonly first: string;
  readonly second: string;
}

it("names the line of the source, where the types and comments are", () => {
  const lines: Lines = { first: "", second: "" };
  const { stack } = new Error(`line ${lines.first} 12`);
  expect(stack).toContain("test/worker/stack-lines.test.ts:12:21");
});
