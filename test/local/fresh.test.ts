/** `--fresh` where another account has the folder: it is refused, and nothing that belongs to that one is gone. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startHere } from "../../infra/apply/start.ts";
import { LOCAL } from "../../infra/stack/project.ts";
import { CLI_FOLDER, settingsFile } from "../../infra/stack/settings-file.ts";
import { Account } from "../../packages/local-account/src/account.ts";
import { temporaryDirectory } from "../../packages/local-account/test/support.ts";

/** What a start without a word at the command line has. */
const options = (dir: string) => ({
  dir,
  port: 0,
  apiPort: 0,
  fresh: true,
  plan: "paid" as const,
  crons: false,
  cpuLimit: true,
  direct: false,
  json: true,
  faults: [],
  defaultWorker: "none",
});

/** An account's folder with what this project keeps there. */
function accountFolder() {
  const dir = temporaryDirectory();
  const kept = [settingsFile(LOCAL, dir), join(dir, CLI_FOLDER, "Pulumi.yaml")];
  mkdirSync(join(dir, CLI_FOLDER), { recursive: true });
  for (const file of kept) writeFileSync(file, "config: {}\n");
  return { dir, isKept: () => kept.map((file) => existsSync(file)) };
}

it("takes nothing from an account that starts or ends, and has no address yet, or none any more", async () => {
  const { dir, isKept } = accountFolder();
  const held = Account.lock(dir);
  await expect(startHere(options(dir))).rejects.toThrow(
    `${dir} is in use by another account. Stop that one, or choose another --dir.`,
  );
  expect(isKept()).toEqual([true, true]);
  held.close();
  const running = await startHere(options(dir));
  await running.close();
  expect(isKept()).toEqual([false, false]);
});

it("takes nothing from an account that runs, and says how to deploy to it", async () => {
  const { dir, isKept } = accountFolder();
  const running = await startHere({ ...options(dir), fresh: false });
  for (const fresh of [true, false]) {
    await expect(startHere({ ...options(dir), fresh })).rejects.toThrow(
      ` choose another --dir. To deploy to it as it runs: npm start -- --into ${dir}`,
    );
  }
  await running.close();
  expect(isKept()).toEqual([true, true]);
});

it("takes nothing where there is data of no account, which it does not take either", async () => {
  const { dir, isKept } = accountFolder();
  mkdirSync(join(dir, "data/d1"), { recursive: true });
  await expect(startHere(options(dir))).rejects.toThrow("is not empty, and no account's");
  expect(isKept()).toEqual([true, true]);
});
