/** What is read of an account where a token may not read it, and where the API is not well. */
import { describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { addressesTaken } from "../../infra/plan/addresses/taken.ts";
import { missingOfPin, missingResources } from "../../infra/plan/storage/missing.ts";
import { Api, ApiError } from "../../infra/provider/api.ts";
import type { StorageOfStack } from "../../infra/stack/extras.ts";
import { preview, version } from "./preview.ts";

/** Reads of an account that answers everything so. */
const answering = (answer: () => Response | Promise<Response>) =>
  Reads.through(new Api({ baseUrl: "http://api.test/client/v4", token: "t" }, { fetch: async () => answer() }), "a");
const refusing = (status: number) =>
  answering(() => Response.json({ success: false, errors: [{ code: 1, message: "no" }] }, { status }));

const BOUND = { name: "KV", type: "kv_namespace", namespaceId: "k" } as const;
const READS: readonly (readonly [what: string, read: (reads: Reads) => Promise<unknown>])[] = [
  ["the namespaces of classes", (reads) => reads.namespaces("w")],
  ["the objects of one", (reads) => reads.objects("n")],
  ["whether bound storage exists", (reads) => reads.storageExists("kv", "k")],
  ["KV namespaces", (reads) => reads.kvNamespaces()],
  ["databases", (reads) => reads.databases()],
  ["a bucket", (reads) => reads.bucketExists("b")],
  ["whether it is empty", (reads) => reads.bucketIsEmpty("b")],
  ["custom domains", (reads) => reads.domains()],
  ["routes", (reads) => reads.routes("z")],
  ["cron triggers", (reads) => reads.crons("w")],
];
const NO_MORE = {
  json: undefined,
  className: undefined,
  bucketName: undefined,
  id: undefined,
  databaseId: undefined,
  jurisdiction: undefined,
};

describe("a read of the account", () => {
  it("says that something is not known where the token may not read it", async () => {
    const reads = refusing(403);
    for (const [what, read] of READS) expect(await read(reads), what).toBeUndefined();
  });

  it.each([
    ["is not well", refusing(503)],
    ["has no time", refusing(429)],
    ["is not reached", answering(() => Promise.reject(new TypeError("fetch failed")))],
    [
      "is behind a proxy",
      answering(() => new Response("<p>Sign in</p>", { headers: { "content-type": "text/html" } })),
    ],
  ])("fails where the API %s, and does not pass for nothing", async (_, reads) => {
    // All at once, for each tries again for a while.
    await Promise.all(READS.map(([what, read]) => expect(read(reads), what).rejects.toBeInstanceOf(ApiError)));
    const lenient = reads.lenient();
    await Promise.all(READS.map(async ([what, read]) => expect(await read(lenient), what).toBeUndefined()));
    await expect(lenient.workers(), "what has to be read").rejects.toBeInstanceOf(ApiError);
  });
});

it.each([
  ["a KV namespace", (reads: Reads) => reads.kvIsEmpty("k")],
  ["a bucket", (reads: Reads) => reads.bucketIsEmpty("b")],
])(
  "takes %s for empty only where no page follows: what has expired just now leaves empty pages",
  async (_, isEmpty) => {
    const paged = (keys: readonly string[]) => {
      const pages = [[], [], keys];
      return answering(() => {
        const result = pages.shift()?.map((name) => ({ name, key: name }));
        return Response.json({
          success: true,
          result,
          result_info: { cursor: pages.length > 0 ? `${pages.length}` : "" },
        });
      });
    };
    expect(await isEmpty(paged(["left"]))).toBe(false);
    expect(await isEmpty(paged([]))).toBe(true);
    const endless = answering(() => Response.json({ success: true, result: [], result_info: { cursor: "same" } }));
    expect(await isEmpty(endless), "an API that comes to no end says nothing").toBeUndefined();
  },
);

it.each([
  ["Workers", (reads: Reads) => reads.workers(), { references: { durableObjects: [] } }],
  ["namespaces", (reads: Reads) => reads.namespaces("w"), { script: "w" }],
])("reads %s in pages of a hundred, not of the few that Cloudflare gives unasked", async (_, read, one) => {
  let asked = 0;
  const fetch = async (request: Parameters<typeof globalThis.fetch>[0]) => {
    asked++;
    const { searchParams: query } = new URL(request instanceof Request ? request.url : request);
    const [page, size] = [Number(query.get("page") ?? 1), Number(query.get("per_page") ?? 10)];
    const all = Array.from({ length: 120 }, (_, index) => ({ ...one, id: `${index}`, name: `${index}` }));
    const result = all.slice((page - 1) * size, page * size);
    return Response.json({ success: true, result, result_info: { page, per_page: size, total_count: all.length } });
  };
  const reads = Reads.through(new Api({ baseUrl: "http://api.test/client/v4", token: "t" }, { fetch }), "a");
  expect([(await read(reads))?.length, asked]).toEqual([120, 2]);
});

const { settings, live } = preview();

it("takes no host name while nobody can say whose it is", async () => {
  const wanted = { ...settings, hostname: "api.example.com", zoneId: "z" };
  const reads = { certain: refusing(502), besides: refusing(502).lenient() };
  await expect(addressesTaken(reads, wanted, "w", undefined)).rejects.toBeInstanceOf(ApiError);
});

it("refuses a pin to a version whose storage is gone, unless that serves, or the release makes the bucket anew", async () => {
  const bucket = { ...NO_MORE, type: "r2_bucket", name: "FILES", bucketName: "x-files" };
  const bound = { ...version(4, "old", "a"), bindings: [{ ...NO_MORE, ...BOUND }, bucket] };
  const found = (serving: typeof live.serving, storage: readonly StorageOfStack[]) =>
    missingOfPin(refusing(404), { versions: [bound], serving }, { stack: "staging", pin: 4, storage }).then((all) =>
      all.map(({ code, subject, message }) => `${code} ${subject}: ${/ as (\w+)/.exec(message)?.[1]}`),
    );
  expect(await found([], [{ kind: "r2", binding: "FILES" }])).toEqual([`pin_storage_missing pin 4: ${BOUND.name}`]);
  expect(await found([], [])).toEqual([`pin_storage_missing pin 4: ${BOUND.name}`, "pin_storage_missing pin 4: FILES"]);
  expect(await found(live.serving.slice(0, 1), [])).toEqual([]);
});

it("says with which line bound storage that is gone comes back", async () => {
  const bound = { ...version(4, "old", "a"), bindings: [{ ...NO_MORE, ...BOUND }] };
  const serving = { ...live, versions: [bound], serving: live.serving.slice(0, 1) };
  const asking = { stack: "staging", isPinned: true, known: undefined };
  const [found] = await missingResources(refusing(404), serving, asking);
  expect(found?.fix).toMatch(
    /; `npm run up -- --stack staging --refresh` makes anew .* `npm run rollback -- --stack staging --unpin` makes it anew/,
  );
});
