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
  ["exceptions under both names", { ...PROXY, NO_PROXY: "a", no_proxy: "b" }, `b,${OWN}`],
  ["no proxy for anything", { ...PROXY, NO_PROXY: "*" }, undefined],
  ["all of them named", { ...PROXY, NO_PROXY: OWN }, undefined],
])("%s", (_, env, noProxy) => {
  expect(noProxyWithOwn(env)).toBe(noProxy);
});

it("an account runs and answers where Node asks a proxy that is not there", async () => {
  // By fetch and by http, each of which reads the environment in its own way.
  const ask = `const url = process.env.CLOUDFLARE_API_BASE_URL.replace("/client/v4", "/");
    fetch(url).then(({ status }) => require("node:http").get(url, (answer) => {
      console.log(status, answer.statusCode);
      process.exit();
    }));`;
  const dead = "http://127.0.0.1:9";
  const env = {
    ...process.env,
    NODE_USE_ENV_PROXY: "1",
    HTTP_PROXY: dead,
    HTTPS_PROXY: dead,
    NO_PROXY: "",
    no_proxy: "",
  };
  const words = [BIN, "run", "--dir", path.join(dir, "account"), "--", process.execPath, "-e", ask];
  const { stdout } = await promisify(execFile)(process.execPath, words, { env });
  expect(stdout).toContain("200 200");
});
