/** A proxy in the environment is for what is not on this machine. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { noProxyWithOwn } from "../src/no-proxy.ts";

const BIN = path.join(import.meta.dirname, "../src/bin.ts");
const dir = mkdtempSync(path.join(tmpdir(), "no-proxy-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const PROXY = { HTTPS_PROXY: "http://proxy.example:3128" };
const OWN = "localhost,.localhost,127.0.0.1,[::1]";

it.each([
  ["no proxy", {}, undefined],
  ["a proxy", PROXY, OWN],
  ["exceptions", { ...PROXY, NO_PROXY: "example.org, localhost" }, "example.org,localhost,.localhost,127.0.0.1,[::1]"],
  ["exceptions under both names", { ...PROXY, NO_PROXY: "a", no_proxy: "b" }, `a,b,${OWN}`],
  ["exceptions under one name, the other empty", { ...PROXY, NO_PROXY: "a", no_proxy: "" }, `a,${OWN}`],
  ["all of them under one name only", { ...PROXY, NO_PROXY: OWN, no_proxy: "b" }, `${OWN},b`],
  ["no proxy for anything", { ...PROXY, NO_PROXY: "*" }, undefined],
  ["no proxy for anything in a list", { ...PROXY, NO_PROXY: "a,*" }, "*"],
  ["all of them named", { ...PROXY, NO_PROXY: OWN }, undefined],
])("%s", (_, env, noProxy) => {
  expect(noProxyWithOwn(env)).toBe(noProxy);
});

it.each([
  ["by NODE_USE_ENV_PROXY", { NODE_USE_ENV_PROXY: "1" }, []],
  ["by NODE_OPTIONS", { NODE_OPTIONS: "--use-env-proxy" }, []],
  ["by a flag", {}, ["--use-env-proxy"]],
])("an account runs and answers where Node asks a proxy that is not there, %s", async (way, variables, flags) => {
  // By fetch and by http, each of which reads the environment in its own way. For S3 the account asks workerd by http.
  const ask = `const { get } = require("node:http");
    const { CLOUDFLARE_API_BASE_URL: api, CLOUDFLARE_ACCOUNT_ID: id, CLOUDFLARE_API_TOKEN: token } = process.env;
    const url = api.replace("/client/v4", "/");
    const statusOf = async (...request) => (await fetch(...request)).status;
    (async () => {
      const request = { method: "POST", headers: { authorization: "Bearer " + token }, body: '{"name":"files"}' };
      const made = await statusOf(api + "/accounts/" + id + "/r2/buckets", request);
      const unsigned = await statusOf(url + "cdn-cgi/local/r2/s3/files/key");
      const page = await new Promise((resolve, reject) => get(url, resolve).on("error", reject));
      console.log(made, unsigned, page.statusCode);
      process.exit();
    })();`;
  const dead = "http://127.0.0.1:9";
  const { NODE_USE_ENV_PROXY: _, NODE_OPTIONS: __, ...rest } = process.env;
  const env = { ...rest, ...variables, HTTP_PROXY: dead, HTTPS_PROXY: dead, NO_PROXY: "", no_proxy: "" };
  const words = [...flags, BIN, "run", "--dir", path.join(dir, way), "--", process.execPath, "-e", ask];
  const { stdout } = await promisify(execFile)(process.execPath, words, { env });
  expect(stdout).toContain("200 400 200");
});
