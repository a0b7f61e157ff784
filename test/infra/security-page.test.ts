/** docs/security.md names tests: each exists under this name. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../infra/release/root.ts";

const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const named = [...page.matchAll(/`(test\/[\w/.-]+)`: ([^|\n]+)/g)].map(
  ([, file = "", words = ""]) => [file, words.trim()] as const,
);

describe("docs/security.md", () => {
  it("names a test for every requirement that is met here", () => {
    expect(named.length).toBeGreaterThan(25);
    const without = page.split("\n").filter((line) => /^\| \d/.test(line) && !line.includes("`test/"));
    expect(without.filter((line) => !line.includes("Yours:"))).toEqual([]);
  });

  // A project without a pattern does not have its tests.
  const there = named.filter(([file]) => existsSync(join(ROOT, file)));
  it.each(there)("%s has: %s", (file, words) => {
    expect(readFileSync(join(ROOT, file), "utf8")).toContain(words);
  });

  it("names every address with a user's id, because Cloudflare logs addresses", () => {
    const access = readFileSync(join(ROOT, "docs/access.md"), "utf8");
    const addresses = [...access.matchAll(/`[A-Z]+ (\/\S*:userId)/g)].map(([, address = ""]) => address);
    expect(addresses.filter((address) => !page.includes(`\`${address}\``))).toEqual([]);
  });

  it("names a missing file only of a removed pattern", () => {
    const folders = named.filter(([file]) => !existsSync(join(ROOT, file))).map(([file]) => file.split("/")[1] ?? "");
    expect(folders.filter((folder) => existsSync(join(ROOT, "test", folder)))).toEqual([]);
  });
});
