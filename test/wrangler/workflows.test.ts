/** Real wrangler and workflows on the local account. */
import { expect, it } from "vitest";
import { account, temporaryDirectory } from "../../packages/local-account/test/support.ts";
import { projectsIn } from "./project.ts";

const CODE = `import { WorkflowEntrypoint } from "cloudflare:workers";
export class Signup extends WorkflowEntrypoint {
  async run({ payload }, step) {
    const name = await step.do("greet", async () => "Hello, " + payload.name);
    await step.waitForEvent("confirm", { type: "confirmed", timeout: "1 hour" });
    return name;
  }
}
export default { async fetch(request, { SIGNUP }) {
  const { id } = await SIGNUP.create({ params: { name: "Ada" } });
  return new Response(id);
} };`;

it("deploys a workflow, triggers it, looks at it, sends it an event and removes it", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const workflows = [{ name: "signup", binding: "SIGNUP", class_name: "Signup" }];
  const { ok, ask } = projectsIn(dir, test)({ name: "members", workflows }, { "index.js": CODE });
  expect(await ok("deploy")).toContain("workflow: signup");
  expect(await ok("workflows list")).toMatch(/signup.*members.*Signup/);
  const id = await ask();
  expect(await ok("workflows instances list signup")).toContain(id);
  await ok('workflows trigger signup {"name":"Grace"} --id grace');
  // Without an id, wrangler takes the latest instance.
  expect(await ok("workflows instances describe signup")).toContain("grace");
  const describe = () => ok("workflows instances describe signup grace");
  await expect.poll(describe).toContain("confirm-1");
  await ok("workflows instances pause signup grace");
  await ok("workflows instances resume signup grace");
  await ok('workflows instances send-event signup grace --type confirmed --payload {"yes":true}');
  await expect.poll(describe).toContain("Hello, Grace");
  await ok(`workflows instances terminate signup ${id}`);
  // A second deployment is another version of the workflow.
  await ok("deploy");
  expect(await ok("workflows describe signup")).toContain("Latest Version");
  await ok("workflows delete signup");
});
