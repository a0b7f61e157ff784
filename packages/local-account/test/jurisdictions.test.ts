/** Buckets in a jurisdiction: what tells them from others, also on disk. */
import { renameSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { objectFile } from "../src/runtime/databases.ts";
import { account, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

const EU = { "cf-r2-jurisdiction": "eu" } as const;

const put = ({ sdk, id }: TestAccount, bucket: string, text: string, headers = {}) =>
  sdk.r2.buckets.objects.upload("a", Buffer.from(text), { account_id: id, bucket_name: bucket, ...headers });

const get = async ({ sdk, id }: TestAccount, bucket: string, headers = {}) =>
  (await sdk.r2.buckets.objects.get("a", { account_id: id, bucket_name: bucket, ...headers })).text();

const create = ({ sdk, id }: TestAccount, name: string, headers = {}) =>
  sdk.r2.buckets.create({ account_id: id, name, ...headers });

/** Gives the objects of `foo` in `eu` the place that they once had. */
function moveBack(dir: string): void {
  const data = path.join(dir, "data/r2");
  renameSync(path.join(data, "eu.foo"), path.join(data, "eu--foo"));
  for (const suffix of ["", "-wal", "-shm"])
    renameSync(`${objectFile("r2", data, "eu.foo")}${suffix}`, `${objectFile("r2", data, "eu--foo")}${suffix}`);
}

it("tells a bucket in a jurisdiction from one whose name looks like it", async () => {
  const test = await account();
  await create(test, "foo", EU);
  await create(test, "eu--foo");
  await put(test, "foo", "in eu", EU);
  await put(test, "eu--foo", "anywhere");
  expect(await get(test, "foo", EU)).toBe("in eu");
  expect(await get(test, "eu--foo")).toBe("anywhere");
});

it("finds the objects that an earlier account kept under such a name", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await create(test, "foo", EU);
  await put(test, "foo", "in eu", EU);
  await test.close();
  moveBack(dir);
  const again = await account({ dir });
  expect(await get(again, "foo", EU)).toBe("in eu");
});

it("leaves them with the bucket of that name if there is one", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  await create(test, "foo", EU);
  await create(test, "eu--foo");
  await put(test, "foo", "in either", EU);
  await test.close();
  moveBack(dir);
  const again = await account({ dir });
  expect(await get(again, "eu--foo")).toBe("in either");
  expect(await again.sdk.get(`/accounts/${again.id}/r2/buckets/foo/objects`, { headers: EU })).toMatchObject({
    result: [],
  });
});

it("refuses a jurisdiction that Cloudflare does not have", async () => {
  const test = await account();
  const headers = { "cf-r2-jurisdiction": "../../x" };
  const create = test.sdk.post(`/accounts/${test.id}/r2/buckets`, { headers, body: { name: "foo" } });
  expect(await refusal(create)).toMatchObject({
    status: 400,
    message: "cf-r2-jurisdiction: '../../x' must be one of default, eu, us, fedramp, fedramp-high.",
  });
  for (const at of ["", "/foo", "/foo/objects", "/foo/cors"])
    expect(await refusal(test.sdk.get(`/accounts/${test.id}/r2/buckets${at}`, { headers }))).toMatchObject({
      status: 400,
    });
});
