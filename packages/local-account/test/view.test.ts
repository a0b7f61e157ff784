/** The account's page: shows the account to a person, without a token and without secrets. */
import { expect, it } from "vitest";
import { account, live, type TestAccount, temporaryDirectory } from "./support.ts";
import { data, get } from "./view-support.ts";

/** The entries of the history as lines, newest first: `+ class Room`. */
async function history(test: TestAccount): Promise<string[]> {
  const { history } = await data(test, "overview");
  return history.items.flatMap(
    ({ items }: { items: { sign: string; what: string; name: string; detail?: string }[] }) =>
      items.map(({ sign, what, name, detail }) => `${sign} ${what} ${name}${detail ? ` ${detail}` : ""}`),
  );
}

it("has only its own scripts and styles, and answers only pages of this machine", async () => {
  const { apiPort } = (await account()).running;
  const page = await get(apiPort, "/");
  expect(page.status).toBe(200);
  expect(page.text).not.toMatch(
    /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/i,
  );
  expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
  for (const [, path = ""] of page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g))
    expect((await get(apiPort, path)).status, path).toBe(200);

  for (const path of ["/", "/view.css", "/data/overview"])
    expect((await get(apiPort, path, { host: "rebound.example.com" })).status, path).toBe(403);
  for (const headers of [
    { origin: "http://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])
    expect((await get(apiPort, "/data/overview", headers)).status, JSON.stringify(headers)).toBe(403);
  expect((await get(apiPort, "/data/overview", { origin: `http://localhost:${apiPort}` })).status).toBe(200);
});

it("shows Workers, traffic, classes and calls, and no secret: no token, no value of a binding, no query", async () => {
  const test = await account();
  const { apiPort, token } = test.running;
  await test.deploy("app", {
    classes: ["Room"],
    bound: ["Room"],
    exports: live("Room"),
    bindings: [
      { type: "secret_text", name: "TOKEN", text: "hush-hush" },
      { type: "plain_text", name: "TAG", text: "not-for-everyone" },
    ],
    annotations: { "workers/message": "<script>alert(1)</script>" },
  });
  await test.ask("app", "/Room/x");
  await test.call("get", "/workers/workers?token=in-a-query");

  const shown = await data(test, "overview");
  expect(shown.workers).toMatchObject([
    { name: "app", url: test.running.addressOf("app"), versions: { total: 1, items: [{ number: 1, traffic: 100 }] } },
  ]);
  expect(shown.namespaces).toMatchObject([{ worker: "app", className: "Room", storage: "sqlite", objects: 1 }]);
  expect(shown.calls.items[0]).toMatchObject({
    method: "GET",
    path: `/accounts/${test.id}/workers/workers`,
    status: 200,
    milliseconds: expect.any(Number),
  });
  const { text } = await get(apiPort, "/data/overview");
  for (const hidden of ["hush-hush", "not-for-everyone", "in-a-query", token]) expect(text).not.toContain(hidden);
});

it("says whether cron triggers fire by themselves", async () => {
  for (const crons of [true, false]) {
    const test = await account({ crons });
    expect((await data(test, "overview")).account).toMatchObject({ firesCrons: crons });
  }
});

it("answers 304 until something changes", async () => {
  const test = await account();
  const { apiPort } = test.running;
  const first = await get(apiPort, "/data/overview");
  const headers = { "if-none-match": String(first.headers.etag) };
  expect((await get(apiPort, "/data/overview", headers)).status).toBe(304);
  await test.ensure("app");
  expect((await get(apiPort, "/data/overview", headers)).status).toBe(200);
});

it("keeps a history of creations, renames, transfers, removals and traffic, over a restart", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await test.call("post", "/storage/kv/namespaces", { title: "reads" });
  await test.deploy("app", {
    classes: ["Room", "Old"],
    exports: live("Room", "Old"),
    annotations: { "workers/message": "the first" },
  });
  expect(await history(test)).toEqual([
    "+ class Room",
    "+ class Old",
    "+ version 1 the first",
    "~ traffic 100 % to version 1",
    "+ Worker app",
    "+ KV namespace reads",
  ]);

  const second = await test.deploy("app", {
    classes: ["Lobby"],
    exports: {
      ...live("Lobby"),
      Room: { type: "durable-object", state: "renamed", renamed_to: "Lobby" },
      Old: { type: "durable-object", state: "deleted" },
    },
  });
  const third = await test.upload("app", { classes: ["Lobby"], exports: live("Lobby") });
  await test.split("app", { [second.id]: 90, [third.id]: 10 });
  // A change of nothing visible makes no entry.
  await test.split("app", { [second.id]: 90, [third.id]: 10 });
  expect((await history(test)).slice(0, 6)).toEqual([
    "~ traffic 90 % to version 2, 10 % to version 3",
    "+ version 3",
    "- class Old",
    "~ class Room is now Lobby",
    "+ version 2",
    "~ traffic 100 % to version 2",
  ]);

  await test.call("delete", "/workers/scripts/app?force=true");
  const lines = await history(test);
  expect(lines.slice(0, 2)).toEqual(["- Worker app", "- class Lobby"]);
  await test.close();
  const again = await account({ dir });
  expect(await history(again)).toEqual(lines);
});
