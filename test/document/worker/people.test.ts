/** Who has a document open, as the page shows it: by what others send. */
import { expect, it, onTestFinished } from "vitest";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { peopleOf } from "../../../worker/document/panel/people.ts";

it("are those who show a name, whatever others show in its place", () => {
  const awareness = new Awareness(new Y.Doc());
  onTestFinished(() => awareness.destroy());
  const shown = [{ name: "Ada" }, { name: { toString: 1, valueOf: 1 } }, { name: null }, "Ben", null, ["Cleo"], {}];
  for (const [i, user] of shown.entries()) awareness.states.set(i, { user });
  awareness.states.set(shown.length, { user: { name: "x".repeat(100) } });
  expect(peopleOf(awareness).map(({ name }) => name)).toEqual(["Ada", "x".repeat(40)]);
});
