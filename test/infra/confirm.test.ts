/** The question before something that cannot be undone. */
import { createInterface } from "node:readline/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { confirm } from "../../infra/commands/command.ts";

vi.mock("node:readline/promises", () => ({ createInterface: vi.fn() }));

/** A terminal where somebody answers so. */
function terminal(answer: () => Promise<string>): void {
  const { isTTY } = process.stdin;
  process.stdin.isTTY = true;
  onTestFinished(() => void Object.assign(process.stdin, { isTTY }));
  vi.mocked(createInterface, { partial: true }).mockReturnValue({ question: answer, close: () => undefined });
}

it.each(["y", " Yes "])("goes on after %j", async (answer) => {
  terminal(async () => answer);
  await confirm("Delete all of it", false);
});

it.each(["", "n", "yesterday"])("changes nothing after %j", async (answer) => {
  terminal(async () => answer);
  await expect(confirm("Delete all of it", false)).rejects.toMatchObject({
    name: "UserError",
    message: "Nothing was changed.",
  });
});

it("is an interruption, and no bug, where the answer is Ctrl-C or Ctrl-D", async () => {
  terminal(() => Promise.reject(new DOMException("Aborted with Ctrl+C", "AbortError")));
  await expect(confirm("Delete all of it", false)).rejects.toMatchObject({
    name: "Interrupted",
    signal: "SIGINT",
    message: "\nNothing was changed.",
  });
});
