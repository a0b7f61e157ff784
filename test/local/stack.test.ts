/** Commands open a stack and read its account: which account it is, the errors if there is none, and the data. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { listWorkers, readLive } from "../../infra/plan/live/worker.ts";
import { Api } from "../../infra/provider/api.ts";
import { openStack } from "../../infra/stack/open.ts";
import { account, live, temporaryDirectory } from "../../packages/local-account/test/support.ts";

const CONFIG = {
  environmentPrefix: "tst-",
  homeRegion: "eu",
  regions: [{ id: "eu", prefix: "eu", locationHint: "weur" }],
};

/** A folder with a Pulumi.yaml and a file for each stack. */
function project(stacks: Readonly<Record<string, Readonly<Record<string, unknown>>>>): string {
  const root = temporaryDirectory();
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, "Pulumi.yaml"), "name: durable-stack\nruntime: nodejs\n");
  for (const [name, config] of Object.entries(stacks)) {
    writeFileSync(join(root, `Pulumi.${name}.yaml`), JSON.stringify({ config }));
  }
  return root;
}

describe("opening a stack", () => {
  it("uses for `local` the account that runs on the folder, whatever the environment says", async () => {
    const { running } = await account({ dir: temporaryDirectory() });
    const dir = temporaryDirectory();
    writeFileSync(join(dir, "account.json"), JSON.stringify(running));
    const env = {
      CLOUDFLARE_ACCOUNT_ID: "f".repeat(32),
      CLOUDFLARE_API_TOKEN: "production",
      CLOUDFLARE_BASE_URL: "http://127.0.0.1:9",
    };
    const { settings, reads } = openStack("local", { dir, env });
    expect(settings.accountId).toBe(running.accountId);
    expect(await reads.workers()).toEqual([]);
  });

  it("takes any other account from the stack's config and the environment, without its encrypted token", async () => {
    const { running } = await account();
    const root = project({
      staging: {
        ...CONFIG,
        accountId: running.accountId,
        adminToken: { secure: "AAABAencrypted" },
        "cloudflare:baseUrl": running.apiUrl,
      },
    });
    const { settings, reads } = openStack("staging", {
      dir: ".local",
      root,
      env: { CLOUDFLARE_API_TOKEN: running.token },
    });
    expect(settings).toMatchObject({
      stack: "staging",
      workerName: "durable-stack-staging",
      environmentPrefix: "tst-",
    });
    expect(await reads.workers()).toEqual([]);
  });

  it("reports everything that is missing or wrong at once", () => {
    const root = project({ staging: { ...CONFIG, homeRegion: "mars", rollout: 200, zoneId: { secure: "AAAB" } } });
    expect(() => openStack("staging", { dir: ".local", root, env: {} })).toThrow(
      /zoneId: encrypted[\s\S]*accountId is missing[\s\S]*rollout must be[\s\S]*homeRegion must be[\s\S]*CLOUDFLARE_API_TOKEN/,
    );
  });

  it("names the stacks that exist, and says how to start a missing account", () => {
    expect(() => openStack("stagign", { dir: ".local" })).toThrow(
      /no Pulumi.stagign.yaml. Stacks: local, production, staging/,
    );
    expect(() => openStack("local", { dir: temporaryDirectory() })).toThrow(/no local account runs.*npm start/);
  });

  it("names the project's folder in which another local account runs", async () => {
    const { running } = await account();
    const root = project({ local: CONFIG });
    mkdirSync(join(root, ".local-two"));
    writeFileSync(join(root, ".local-two", "started-from"), root);
    expect(() => openStack("local", { dir: ".local", root })).not.toThrow(/One runs/);
    writeFileSync(join(root, ".local-two", "account.json"), JSON.stringify(running));
    expect(() => openStack("local", { dir: ".local", root })).toThrow(/One runs in \.local-two: .*name that folder/);
  });
});

describe("reading an account without Pulumi", () => {
  it("returns the serving release, with its step and its objects", async () => {
    const test = await account();
    const root = project({ local: CONFIG });
    const dir = temporaryDirectory();
    writeFileSync(join(dir, "account.json"), JSON.stringify(test.running));
    const { reads } = openStack("local", { dir, root });
    expect(await readLive(await listWorkers(reads), "app")).toMatchObject({ id: undefined, classes: undefined });

    const release = { digest: "d".repeat(64), migration: "0001-create", history: "0123456789abcdef" };
    const first = await test.deploy("app", {
      classes: ["Room", "Lobby"],
      bound: ["Room"],
      exports: live("Room", "Lobby"),
      bindings: [{ type: "json", name: "RELEASE", json: release }],
      annotations: { "workers/tag": "one" },
    });
    expect(await readLive(await listWorkers(reads), "app")).toMatchObject({
      digest: release.digest,
      step: { name: "0001-create", history: "0123456789abcdef" },
      classes: new Map([
        ["Lobby", { storage: "sqlite" }],
        ["Room", { storage: "sqlite" }],
      ]),
      serving: [{ versionId: first.id, percentage: 100, tag: "one" }],
      rollbackFloor: 1,
    });

    for (const object of ["a", "b", "a"]) await test.ask("app", `/Room/${object}`);
    const namespaces = await reads.namespaces("app");
    const objects = await Promise.all(
      (namespaces ?? []).map(async ({ id, class: name }) => [name, await reads.objects(id)]),
    );
    expect(Object.fromEntries(objects)).toEqual({
      Room: { count: 2, more: false },
      Lobby: { count: 0, more: false },
    });
    expect(await reads.namespaces("other")).toEqual([]);
  });

  it("still knows the objects' prefix and the step after something else has deployed over a release", async () => {
    const test = await account();
    const table = { environmentPrefix: "tst-", home: "eu", regions: [{ id: "eu", prefix: "eu" }] };
    const json = (name: string, value: object) => ({ type: "json", name, json: value });
    const program = { classes: ["Room"], bound: ["Room"], exports: live("Room") };
    await test.deploy("app", {
      ...program,
      annotations: { "workers/tag": `${"d".repeat(12)}-01234567` },
      bindings: [
        json("RELEASE", { digest: "d".repeat(64), migration: "0001-create", history: "0123456789abcdef" }),
        json("REGIONS", table),
      ],
    });
    await test.deploy("app", { ...program, tag: "something else" });
    const { apiUrl, token } = test.running;
    const reads = Reads.through(new Api({ baseUrl: apiUrl, token }), test.id);
    expect(await readLive(await listWorkers(reads), "app")).toMatchObject({
      digest: undefined,
      step: { name: "0001-create" },
      regions: [table],
    });
  });

  it("names what Cloudflare refused", async () => {
    const { running } = await account();
    const env = {
      CLOUDFLARE_API_TOKEN: "wrong",
      CLOUDFLARE_BASE_URL: running.apiUrl,
      CLOUDFLARE_ACCOUNT_ID: running.accountId,
    };
    const { reads } = openStack("staging", { dir: ".local", root: project({ staging: CONFIG }), env });
    await expect(reads.workers()).rejects.toThrow(/GET \/accounts\/.*\/workers\/workers was answered 40[13]/);
    expect(await reads.namespaces("app")).toBeUndefined();
  });
});
