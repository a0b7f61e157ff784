/** Two projects of one account whose names and stacks run together: `shop` with `eu-staging`, `shop-eu` with `staging`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { history } from "@durable-stack/class-lifecycle";
import { afterAll, expect, it } from "vitest";
import { applyProgram } from "../../infra/apply/apply.ts";
import { account, temporaryDirectory } from "../../packages/local-account/test/support.ts";
import { type Checkout, Checkouts } from "../checkouts.ts";

const checkouts = new Checkouts();
afterAll(() => checkouts.remove());
const { migrations } = history().step("0001-create", (classes) => classes.create("Visits"));

function projectOf(name: string): Checkout {
  const checkout = checkouts.make(name, migrations);
  const file = join(checkout.root, "Pulumi.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^name: .*/m, `name: ${name}`));
  return checkout;
}

it("a stack does not take over the storage of another one that is called alike, though it is empty", async () => {
  const test = await account();
  const deploy = (project: Checkout, stack: string, workerName: string) =>
    applyProgram({
      dir: temporaryDirectory(),
      root: project.root,
      stack,
      account: test.running,
      config: {
        adminToken: "a-token-that-is-long-enough",
        workerName,
        protect: "false",
        environmentPrefix: "eu-",
        homeRegion: "eu",
        regions: JSON.stringify([{ id: "eu", prefix: "eu", locationHint: "weur" }]),
      },
    });
  await deploy(projectOf("shop"), "eu-staging", "shop-one");
  await expect(deploy(projectOf("shop-eu"), "staging", "shop-two")).rejects.toThrow(
    /Nothing was sent[\s\S]*KV namespace shop-eu-staging-reads: it exists and is called as the stack shop:eu-staging calls its own[\s\S]*bucket shop-eu-staging-blobs/,
  );
  expect(await test.workers()).toEqual({ names: ["shop-one"] });
});
