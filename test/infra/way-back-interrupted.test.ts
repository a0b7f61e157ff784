/** A way back whose update is interrupted: nobody takes it for a bug, and the settings that hold it are named. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { goBack } from "../../infra/rollout/share.ts";
import { Interrupted } from "../../infra/stack/interrupted.ts";

vi.mock("../../infra/apply/update.ts", () => ({
  update: async () => {
    throw new Interrupted("SIGINT", false, "Interrupted. To complete it: …");
  },
}));

const dir = mkdtempSync(join(tmpdir(), "way-back-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it.each([
  [undefined, "rollout is 0"],
  [16, "pin is 16"],
])("stays an interruption, and says that %s is the way back", async (pin, setting) => {
  const error: unknown = await goBack("local", dir, { pin, share: 50 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Interrupted);
  expect(error).toMatchObject({
    signal: "SIGINT",
    message: `Interrupted. To complete it: …\n${setting} in ${join(dir, "Pulumi.local.yaml")}, and that is the way back: leave it there.`,
  });
});
