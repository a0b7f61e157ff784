/** An export of a real ledger is verified, and whatever is changed in it is found and named. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../../contract/secrets.ts";
import { ADMIN, fetchApp } from "../../worker/helpers.ts";
import { verify } from "../verify.ts";
import { aLedger } from "./support.ts";

let lines: readonly string[];
let head: unknown;

/** The lines of an export, read as a client does that puts its query together with a library. */
async function exported(id: string): Promise<readonly string[]> {
  let text = "";
  for (let cursor: string | null = ""; cursor !== null; ) {
    const part = await fetchApp(`/account/${id}/export?${new URLSearchParams({ cursor })}`, { headers: ADMIN });
    expect(part.status).toBe(200);
    text += await part.text();
    cursor = part.headers.get("Ledger-Next");
  }
  return text === "" ? [] : text.trimEnd().split("\n");
}

beforeAll(async () => {
  const { id, stub, deposit, post, audit } = aLedger();
  await deposit("alice", 10_000);
  for (let done = 0; done < 2_300; done += 100) {
    await Promise.all(Array.from({ length: 100 }, () => stub.transfer("alice", "bob", 1)));
  }
  await runDurableObjectAlarm(stub);
  await post("transfer", { from: "bob", to: "carol", amount: 5, memo: "thanks ☕\u2028" });
  lines = await exported(id);
  head = Object(await audit()).head;
});

const check = (changed: readonly string[]) => verify(changed, sha256);
/** The export with the line of a transaction changed. */
const withEntry = (seq: number, change: (line: string) => string) =>
  lines.map((line) => (line.startsWith(`{"seq":${seq},`) ? change(line) : line));
const lineOf = (seq: number) => lines.findIndex((line) => line.startsWith(`{"seq":${seq},`)) + 1;

describe("an export", () => {
  it("is complete and adds up", async () => {
    expect(await check(lines)).toMatchObject({
      ok: true,
      complete: true,
      transactions: 2_302,
      accounts: 3,
      wrong: [],
      head,
    });
    expect(lines.filter((line) => line.includes('"segment"'))).toHaveLength(1);
  });

  it("of an empty ledger has no line", async () => {
    const empty = await exported(aLedger().id);
    expect(empty).toEqual([]);
  });

  it.each([
    ["an amount", 7, (line: string) => line.replace('"amount":1,', '"amount":2,')],
    ["a balance", 1_500, (line: string) => line.replace(/"payeeBalance":\d+/, '"payeeBalance":1')],
    ["a time", 3, (line: string) => line.replace(/"at":\d/, '"at":9')],
    ["a memo", 2_302, (line: string) => line.replace("☕", "☔")],
    ["a space", 42, (line: string) => line.replace(",", ", ")],
    ["a digit of a hash", 43, (line: string) => line.replace(/.(?="\}$)/, (digit) => (digit === "0" ? "1" : "0"))],
    ["half a line", 44, (line: string) => line.slice(0, 50)],
  ])("with %s changed names the line", async (_, seq, change) => {
    const { ok, wrong } = await check(withEntry(seq, change));
    expect(ok).toBe(false);
    expect(wrong[0]?.line).toBe(lineOf(seq));
  });

  it("with a line taken out, doubled or swapped names the place", async () => {
    const at = lineOf(50) - 1;
    const out = lines.toSpliced(at, 1);
    const twice = lines.toSpliced(at, 0, lines[at] ?? "");
    const swapped = lines.toSpliced(at, 2, lines[at + 1] ?? "", lines[at] ?? "");
    for (const [changed, line] of [
      [out, at + 1],
      [twice, at + 2],
      [swapped, at + 1],
    ] as const) {
      const { ok, wrong } = await check(changed);
      expect([ok, wrong[0]?.line]).toEqual([false, line]);
    }
  });

  it("whose changed line has the right hash of its own breaks the next one", async () => {
    const before = /"hash":"(\w+)"/.exec(lines[lineOf(99) - 1] ?? "")?.[1];
    const forged = (lines[lineOf(100) - 1] ?? "").replace('"amount":1,', '"amount":3,').replace(/,"hash":.*/, "}");
    const hash = await sha256(`${before}\n${forged}`);
    const { wrong } = await check(withEntry(100, () => `${forged.slice(0, -1)},"hash":"${hash}"}`));
    expect(wrong.some(({ line }) => line === lineOf(101))).toBe(true);
  });

  it("with an account that has more than its entries is found", async () => {
    const rich = lines.map((line) => line.replace('"name":"bob","balance":2295', '"name":"bob","balance":9999'));
    expect(rich).not.toEqual(lines);
    expect(await check(rich)).toMatchObject({
      ok: false,
      faults: [expect.stringContaining("account bob"), expect.anything()],
    });
  });

  it("with any byte changed is found", async () => {
    const { id, deposit, transfer, post } = aLedger();
    await deposit("alice", 100);
    await transfer("alice", "bob", 7);
    await post("transfer", { from: "alice", to: "bob", amount: 5, holdSeconds: 60, memo: "rent", reference: "r-1" });
    const small = await exported(id);
    expect(await check(small)).toMatchObject({ ok: true, transactions: 3 });
    const text = small.join("\n");
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + (text[at] === "5" ? "6" : "5") + text.slice(at + 1);
      expect((await check(changed.split("\n"))).ok, `byte ${at}: ${changed.slice(at - 20, at + 20)}`).toBe(false);
    }
  });
});
