/** What other users of the machine can read of an account. */
import { chmodSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { account, temporaryDirectory } from "./support.ts";

it("keeps the token from other users, though a killed account has left its address to be read by all", async () => {
  const dir = temporaryDirectory();
  const file = path.join(dir, "account.json");
  writeFileSync(file, "{}");
  chmodSync(file, 0o644);
  await account({ dir });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
