/** The addresses of Workers for load tests: past the front door, and without the account. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it, onTestFinished, vi } from "vitest";
import { readInBatches } from "../src/runtime/in-batches.ts";
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

it("names nobody for a loop at such an address, whoever was asked before it", async () => {
  const said: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: unknown) => void said.push(String(line)));
  onTestFinished(() => spy.mockRestore());
  const { test, addressOf } = await direct();
  await test.deploy("loops", { fetch: "for (;;);" });
  await test.deploy("other", { tag: "other" });
  await test.ask("other");
  await expect(fetch(addressOf("loops"))).rejects.toThrow();
  await expect.poll(() => said).toContainEqual(expect.stringMatching(/^The account: an unknown task used \d+ ms/));
});

it("ends no Worker for many requests there that each compute for less than the limit", async () => {
  const { test, addressOf } = await direct();
  // About 200 ms of CPU time.
  const busy = "let sum = 0; for (let i = 0; i < 4e7; i++) sum = (sum * 31 + i) | 0; return new Response(String(sum));";
  await test.deploy("app", { fetch: busy });
  const url = addressOf("app");
  const answers = await Promise.all(Array.from({ length: 16 }, () => fetch(url)));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});

it("gives none where nobody has asked for them", async () => {
  let told = 0;
  const test = await account({ onDirect: () => void told++ });
  await test.deploy("app", { tag: "one" });
  expect(told).toBe(0);
});

it("shows every line that a Worker logs there, in order", async () => {
  const lines: string[] = [];
  let addresses: ReadonlyMap<string, string> = new Map();
  const test = await account({
    direct: true,
    onDirect: (now) => {
      addresses = now;
    },
    onLog: (line) => lines.push(line),
  });
  await test.deploy("app", { fetch: "for (let i = 0; i < 500; i++) console.log('line ' + i); return new Response();" });
  await fetch(`${addresses.get("app")}/`);
  const all = Array.from({ length: 500 }, (_, i) => `line ${i}`);
  await expect.poll(() => lines.filter((line) => line.startsWith("line "))).toEqual(all);
});

it("reads a process that often writes a line in batches, to its end", async () => {
  // Ten lines at a time, each with a write of its own. Read as they come, most would be a read each.
  const child = spawn(process.execPath, [
    "-e",
    "let i = 0; const next = () => { for (let n = 0; n < 10; n++) console.log('line ' + i++); if (i < 3000) setTimeout(next, 1); }; next();",
  ]);
  onTestFinished(() => void child.kill());
  let [text, reads] = ["", 0];
  readInBatches(child.stdout);
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
    reads++;
  });
  await once(child, "close");
  expect(text.split("\n")).toEqual([...Array.from({ length: 3_000 }, (_, i) => `line ${i}`), ""]);
  expect(reads).toBeLessThan(1_500);
});
