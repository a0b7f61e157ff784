/** Emptying a bucket ends, also where an object cannot be deleted. */
import { expect, it, vi } from "vitest";
import { Api } from "../../infra/provider/api.ts";
import { emptyBucket } from "../../infra/provider/buckets.ts";

it.each([
  [
    "..",
    /The object "\.\." of the bucket files cannot be deleted: no URL can name it\. Delete it in Cloudflare's dash/,
  ],
  ["a", /The object "a" of the bucket files cannot be deleted: it is still there after/],
])("ends at an object %j that cannot be deleted, and says so", async (key, message) => {
  const deleted = vi.fn();
  const fetch = async (request: Parameters<typeof globalThis.fetch>[0]) => {
    if (request instanceof Request && request.method === "DELETE") deleted(new URL(request.url).pathname);
    return Response.json({ success: true, result: [{ key }] });
  };
  const api = new Api({ baseUrl: "http://api.test", token: "t" }, { fetch });
  await expect(emptyBucket(api, { accountId: "a", name: "files", jurisdiction: "eu" })).rejects.toThrow(message);
  expect(deleted.mock.calls.flat()).toEqual(key === "a" ? ["/accounts/a/r2/buckets/files/objects/a"] : []);
});
