/** infra/index.ts leaves out what a local account lacks: it must know one, and never take Cloudflare for one. */
import { expect, it } from "vitest";
import { isLocal } from "../../infra/stack/account.ts";

it("is local where the config or the environment leads to an address of this machine", () => {
  const here = "http://127.0.0.1:8788/client/v4";
  expect(isLocal({ "cloudflare:baseUrl": here }, {})).toBe(true);
  expect(isLocal({}, { CLOUDFLARE_BASE_URL: here })).toBe(true);
});

it("is Cloudflare where nothing leads elsewhere, or to its own address, or to a company's gateway", () => {
  expect(isLocal({}, {})).toBe(false);
  expect(isLocal({ "cloudflare:apiToken": "t" }, { CLOUDFLARE_BASE_URL: "" })).toBe(false);
  for (const url of [
    "https://api.cloudflare.com/client/v4",
    "https://api.cloudflare.com/client/v4/",
    "https://cloudflare.gateway.example/client/v4",
    "notaurl",
  ]) {
    expect(isLocal({}, { CLOUDFLARE_BASE_URL: url }), url).toBe(false);
    expect(isLocal({ "cloudflare:baseUrl": url }, {}), url).toBe(false);
  }
});
