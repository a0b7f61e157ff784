/** The addresses of Workers for load tests: past the front door, and without the account. */
import { expect, it } from "vitest";
import { account } from "./support.ts";

/** An account whose Workers have addresses of their own, and the newest of these. */
async function direct() {
  let addresses: ReadonlyMap<string, string> = new Map();
  const test = await account({
    direct: true,
    onDirect: (now) => {
      addresses = now;
    },
  });
  return {
    test,
    workers: () => [...addresses.keys()].sort(),
    addressOf: (worker: string) => `${addresses.get(worker)}/`,
  };
}

it("gives each Worker an address of its own, another after each deployment, and none while its traffic is split", async () => {
  const { test, workers, addressOf } = await direct();
  const tagAt = async (worker: string) => Object(await (await fetch(addressOf(worker))).json()).tag;
  const one = await test.deploy("app", { tag: "one" });
  await test.deploy("other", { tag: "other" });
  expect(workers()).toEqual(["app", "other"]);
  expect([await tagAt("app"), await tagAt("other")]).toEqual(["one", "other"]);

  const before = addressOf("app");
  const two = await test.deploy("app", { tag: "two" });
  expect(await tagAt("app")).toBe("two");
  expect((await test.ask("app")).json()).toMatchObject({ tag: "two" });
  await expect(fetch(before)).rejects.toThrow();

  await test.split("app", { [one.id]: 50, [two.id]: 50 });
  expect(workers()).toEqual(["other"]);
  expect(["one", "two"]).toContain((await test.ask("app")).json().tag);
});

it("ends a loop at such an address, and everybody is answered again", async () => {
  const { test, addressOf } = await direct();
  await test.deploy("loops", { fetch: "if (request.method === 'POST') for (;;); return new Response('well');" });
  await test.deploy("other", { tag: "other" });
  await expect(fetch(addressOf("loops"), { method: "POST" })).rejects.toThrow();
  expect((await test.ask("other")).json()).toMatchObject({ tag: "other" });
  expect(await (await fetch(addressOf("loops"))).text()).toBe("well");
});

it("gives none where nobody has asked for them", async () => {
  let told = 0;
  const test = await account({ onDirect: () => void told++ });
  await test.deploy("app", { tag: "one" });
  expect(told).toBe(0);
});
