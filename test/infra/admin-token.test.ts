/** The file with the admin token of a local account. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { adminTokenOf } from "../../infra/apply/admin-token.ts";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "admin-token-"));
  file = join(dir, "admin-token");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it("is made once, and is one that a Worker takes", () => {
  const token = adminTokenOf(dir);
  expect(adminTokenOf(dir)).toBe(token);
  expect(readFileSync(file, "utf8")).toBe(`${token}\n`);
});

it.each([
  ["", /admin-token does not hold an admin token: it is empty\. Delete the file: a new token is made/],
  ["\n", /it is empty\. Delete the file/],
  ["short\n", /it must have at least 24 characters\. Delete the file/],
])("is refused where the file has %j, and deleting it, as the message says, makes a new one", (text, message) => {
  writeFileSync(file, text);
  expect(() => adminTokenOf(dir)).toThrow(message);
  expect(readFileSync(file, "utf8")).toBe(text);
  rmSync(file);
  expect(adminTokenOf(dir)).toMatch(/^local-/);
});
