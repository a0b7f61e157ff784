/** A host name for a Worker that serves on workers.dev, on the real engine: at no time does it answer nowhere. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeReleases, type Releases } from "../releases.ts";
import { Site } from "./site.ts";

let releases: Releases;
let site: Site;
beforeAll(async () => {
  releases = await makeReleases();
  site = await Site.open({ config: { release: releases.built.setting } });
});
afterAll(async () => {
  await site?.close();
  releases?.remove();
});

it("takes workers.dev away once the host name is there, and says so before", async () => {
  const { direct } = site;
  const isOn = async () =>
    /"subdomain":\{[^}]*"enabled":true/.test(JSON.stringify(await direct.call("get", "/workers/workers")));
  const update = async () => {
    const { ok, text } = await site.stack.up();
    expect(ok, text).toBe(true);
    return text;
  };
  await update();
  expect(await isOn()).toBe(true);
  const [zone] = (await direct.sdk.zones.list({ name: "example.com" })).result;
  site.set({ zoneId: zone?.id ?? "", hostname: "api.example.com" });
  // An update that fails before its end leaves it where it was.
  site.proxy.intervene = ({ method, path }) => (method === "PUT" && path.endsWith("/domains") ? "refuse" : undefined);
  const failed = await site.stack.up();
  site.proxy.intervene = undefined;
  expect([failed.ok, await isOn()], failed.text).toEqual([false, true]);
  const made = await update();
  expect(made).toMatch(
    /addresses .*\+ custom domain api\.example\.com[\s\S]*- workers\.dev[\s\S]*stays for this update/,
  );
  expect([await isOn(), JSON.stringify(await direct.call("get", "/workers/domains"))]).toEqual([
    true,
    expect.stringContaining("api.example.com"),
  ]);
  expect(await update()).toMatch(/addresses .*- workers\.dev/);
  expect(await isOn()).toBe(false);
  expect(await update()).not.toMatch(/addresses /);
  site.set({ zoneId: "", hostname: "" });
  expect(await update()).toMatch(/addresses .*- custom domain api\.example\.com[\s\S]*\+ workers\.dev/);
  expect(await isOn()).toBe(true);
});

it("keeps the old host name until the new one is there, which may be refused", async () => {
  const { direct } = site;
  const [zone] = (await direct.sdk.zones.list({ name: "example.com" })).result;
  const domains = async () =>
    JSON.stringify(await direct.call("get", "/workers/domains")).match(/[a-z]+\.example\.com/g) ?? [];
  site.set({ zoneId: zone?.id ?? "", hostname: "old.example.com" });
  const first = await site.stack.up();
  expect([first.ok, await domains()], first.text).toEqual([true, ["old.example.com"]]);
  site.set({ hostname: "new.example.com" });
  site.proxy.intervene = ({ method, path }) => (method === "PUT" && path.endsWith("/domains") ? "refuse" : undefined);
  const refused = await site.stack.up();
  site.proxy.intervene = undefined;
  expect([refused.ok, await domains()], refused.text).toEqual([false, ["old.example.com"]]);
  const made = await site.stack.up();
  expect([made.ok, await domains()], made.text).toEqual([true, ["new.example.com"]]);
  expect(made.text).toMatch(/\+ custom domain new\.example\.com[\s\S]*- custom domain old\.example\.com/);

  // The same host name is made anew for another name of the Worker, and is there after that.
  site.set({ workerName: "renamed" });
  const renamed = await site.stack.up();
  expect([renamed.ok, await domains()], renamed.text).toEqual([true, ["new.example.com"]]);
  expect(renamed.text).toContain("~ custom domain new.example.com is deleted and made anew");
  const again = await site.stack.up();
  expect([again.ok, await domains(), again.text.includes("addresses")], again.text).toEqual([
    true,
    ["new.example.com"],
    false,
  ]);
});
