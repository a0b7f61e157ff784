/** Copies of a project for tests have the stacks' files as the template has them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../infra/release/root.ts";
import { ProjectCopy } from "../project-copy.ts";
import { STACK_FILES } from "../stack-files.ts";

const copy = new ProjectCopy();
afterAll(() => copy.remove());

it.each([...STACK_FILES])("%s says in a copy what it says here", (file, text) => {
  expect(parse(text)).toEqual(parse(readFileSync(join(ROOT, file), "utf8")));
  expect(copy.read(file)).toBe(text);
});
