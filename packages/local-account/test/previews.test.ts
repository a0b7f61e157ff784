/** Which versions run for their preview addresses. */
import { expect, it, onTestFinished, vi } from "vitest";
import { Account } from "../src/account.ts";
import { MOST_PREVIEWS, visited } from "../src/runtime/previews.ts";
import { account } from "./support.ts";

it("keeps the previews that were visited last, of versions that are there", () => {
  const ids = Array.from({ length: MOST_PREVIEWS + 1 }, (_, index) => `v${index}`);
  const after = (visits: readonly string[], previews: ReadonlySet<string> = new Set(), there = ids) =>
    visits.reduce((so, id) => visited(so, id, new Set(there)), previews);
  const all = after(ids);
  expect([...all]).toEqual(ids.slice(1));
  expect([...after(["v1"], all)]).toEqual([...ids.slice(2), "v1"]);
  expect([...after(["v0"], all)]).toEqual([...ids.slice(2), "v0"]);
  expect([...after(["v0"], all, ["v0", "v5"])]).toEqual(["v5", "v0"]);
});

it("answers at a preview address by what its version is once the visit has its turn", async () => {
  const test = await account();
  await test.deploy("app", { tag: "one" });
  const { id } = await test.upload("app", { tag: "two" });
  const { preview } = Account.prototype;
  const visitAfter = (work: () => Promise<unknown>) => {
    vi.spyOn(Account.prototype, "preview").mockImplementationOnce(async function (this: Account, versionId) {
      await work();
      await preview.call(this, versionId);
    });
    return test.ask(`${id.slice(0, 8)}-app`);
  };
  onTestFinished(() => void vi.restoreAllMocks());
  const deployed = await visitAfter(() => test.split("app", { [id]: 100 }));
  expect(deployed.text).toContain('"tag":"two"');
  await test.deploy("app", { tag: "three" });
  const deleted = await visitAfter(() => test.call("delete", `/workers/workers/app/versions/${id}`));
  expect(deleted).toMatchObject({ status: 404, text: `There is no Worker '${id.slice(0, 8)}-app'.\n` });
});

it("runs the previews that were visited last, and starts another again with its next visit", {
  tags: ["nightly"],
}, async () => {
  const test = await account();
  await test.deploy("app", { tag: "live" });
  const { subdomain } = await test.sdk.workers.beta.workers.get("app", { account_id: test.id });
  /** The tag of a preview, and a text that stays the same until workerd starts again. */
  const visit = async (id: string) => {
    const [host = ""] = `${id.slice(0, 8)}${subdomain.preview_url_suffix}`.split(":");
    return (await test.visit(host)).text.split(" ");
  };
  const ids: string[] = [];
  for (let n = 0; n <= MOST_PREVIEWS; n++) {
    const fetch = `globalThis.start ??= crypto.randomUUID(); return new Response("${n} " + globalThis.start);`;
    ids.push((await test.upload("app", { fetch })).id);
  }
  for (const id of ids) await visit(id);
  const [first = "", second = ""] = ids;
  const last = ids.at(-1) ?? "";
  const [tag, start] = await visit(last);
  expect(tag).toBe(String(MOST_PREVIEWS));
  expect((await visit(second))[0]).toBe("1");
  expect((await visit(last))[1]).toBe(start);

  expect((await visit(first))[0]).toBe("0");
  const [, next] = await visit(last);
  expect(next).not.toBe(start);
  // The second was visited after the third, so that one went.
  expect((await visit(second))[0]).toBe("1");
  expect((await visit(last))[1]).toBe(next);
});
