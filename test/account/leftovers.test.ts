/** What is deleted of a pull request's stack by its names alone, in an account that has other stacks too. */
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Api } from "../../infra/provider/api.ts";
import { emptyBucket } from "../../infra/provider/buckets.ts";
import { emptyBuckets, removeLeftovers } from "../../infra/pull-request/leftovers.ts";
import { stackFile } from "../../infra/pull-request/stack-file.ts";
import { ROOT } from "../../infra/release/root.ts";
import { stackTag } from "../../infra/stack/declared.ts";
import { openStack } from "../../infra/stack/open.ts";
import { projectName, readStackFile } from "../../infra/stack/project.ts";
import { account, temporaryDirectory } from "../../packages/local-account/test/support.ts";

const project = projectName();

/** Asks for lists of buckets in pages of one, as if there were thousands. */
class SmallPages extends Api {
  protected override send(...[method, path, options]: Parameters<Api["send"]>): ReturnType<Api["send"]> {
    const isList = method === "get" && path.endsWith("/r2/buckets");
    return super.send(method, path, isList ? { ...options, query: { ...options.query, per_page: 1 } } : options);
  }
}

it("nothing of a stack that somebody called like it, and more", async () => {
  const test = await account();
  const root = temporaryDirectory();
  copyFileSync(join(ROOT, "Pulumi.yaml"), join(root, "Pulumi.yaml"));
  const { config } = readStackFile(join(ROOT, "Pulumi.staging.yaml"));
  writeFileSync(join(root, "Pulumi.pr-5.yaml"), stackFile(5, { project, config, migrations: [] }));
  const { apiUrl, accountId, token } = test.running;
  const env = { CLOUDFLARE_BASE_URL: apiUrl, CLOUDFLARE_ACCOUNT_ID: accountId, CLOUDFLARE_API_TOKEN: token };
  const pull = {
    ...openStack("pr-5", { dir: "", root, env }),
    api: new SmallPages({ baseUrl: apiUrl, token }),
  };

  const [own, others] = [`${project}-pr-5`, `${project}-pr-5-hotfix`];
  for (const [base, stack] of [
    [own, "pr-5"],
    [others, "pr-5-hotfix"],
  ] as const) {
    await test.call("post", "/workers/workers", { name: base, tags: [project, stackTag({ project, stack })] });
    await test.call("post", "/storage/kv/namespaces", { title: `${base}-reads` });
    await test.call("post", "/d1/database", { name: `${base}-db` });
    await test.call("post", "/r2/buckets", { name: `${base}-blobs` });
    const put = { method: "PUT", body: "data", headers: { authorization: `Bearer ${token}` } };
    await fetch(`${apiUrl}/accounts/${accountId}/r2/buckets/${base}-blobs/objects/file`, put);
  }
  // The list is in the order of names: this one comes after the other stack's.
  await test.call("post", "/r2/buckets", { name: `${own}-uploads` });

  expect(await emptyBuckets(pull)).toBe(1);
  expect(await removeLeftovers(pull)).toEqual([
    `Worker ${own}`,
    `KV namespace ${own}-reads`,
    `D1 database ${own}-db`,
    `bucket ${own}-blobs`,
    `bucket ${own}-uploads`,
  ]);
  expect(await test.workers()).toEqual({ names: [others] });
  expect(await test.call("get", "/storage/kv/namespaces")).toMatchObject([{ title: `${others}-reads` }]);
  expect(await test.call("get", "/d1/database")).toMatchObject([{ name: `${others}-db` }]);
  expect(await test.call("get", `/r2/buckets/${others}-blobs/objects`)).toMatchObject([{ key: "file" }]);
});

it("all objects of a bucket, whatever their keys, and nothing outside it", async () => {
  const test = await account();
  const { apiUrl, accountId, token } = test.running;
  const buckets = `${apiUrl}/accounts/${accountId}/r2/buckets`;
  for (const name of ["files", "other"]) await test.call("post", "/r2/buckets", { name });
  const keys = ["../../other", "../b", "./c", "a/../b", "a/.", "b", "d/", "e//f", "100%2F.?#", "ö"];
  for (const key of keys) {
    const put = { method: "PUT", body: "data", headers: { authorization: `Bearer ${token}` } };
    expect((await fetch(`${buckets}/files/objects/${encodeURIComponent(key)}`, put)).status, key).toBe(200);
  }
  const objects = (query = "") => test.call("get", `/r2/buckets/files/objects${query}`);
  expect(await objects("?prefix=a/../")).toMatchObject([{ key: "a/../b" }]);

  const bucket = { accountId, name: "files", jurisdiction: undefined };
  expect(await emptyBucket(new Api({ baseUrl: apiUrl, token }), bucket)).toBe(keys.length);
  expect(await objects()).toEqual([]);
  expect(await test.call("get", "/r2/buckets")).toMatchObject({ buckets: [{ name: "files" }, { name: "other" }] });
});
