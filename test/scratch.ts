/** A folder for what the tests of a file, or of a group, write. It goes after them. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Its real path: tools name files by theirs, and on macOS the folder for temporary files is behind a link. */
export function scratch(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "durable-stack-test-")));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
