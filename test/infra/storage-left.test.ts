/** What a plan says of storage whose binding goes: what stays, what is deleted, and what `allowDestroy` names for nothing. */
import { describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { report } from "../../infra/plan/report.ts";
import { isError } from "../../infra/plan/rules/codes.ts";
import { Known } from "../../infra/plan/state/known.ts";
import { notDeclared, notDeclaredAsBound, usedBy } from "../../infra/plan/storage/in-state.ts";
import { filledBuckets, isDeleted, type Left, storageLeft, unusedAllowances } from "../../infra/plan/storage/left.ts";
import { Api } from "../../infra/provider/api.ts";
import { LOGICAL, storageName } from "../../infra/stack/declared.ts";
import { preview, version } from "./preview.ts";

const { settings: given, live } = preview();
const settingsOf = (protect: boolean, ...allowDestroy: string[]) => ({ ...given, protect, allowDestroy });
const left = (more: Partial<Left> = {}): Left => ({
  what: "KV namespace",
  binding: "FOO",
  name: "x-foo",
  stays: false,
  usedBy: undefined,
  ...more,
});

describe("storage that no binding asks for any more", () => {
  it.each([
    ["stays under protect", settingsOf(true, "FOO"), left({ stays: true }), "storage_left_behind"],
    [
      "stays as the last update said, whatever is allowed now",
      settingsOf(false, "FOO"),
      left({ stays: true }),
      "storage_left_behind",
    ],
    ["is refused where nothing allows it", settingsOf(false), left(), "storage_would_go"],
    [
      "is refused while a version with traffic is bound to it",
      settingsOf(false, "FOO"),
      left({ usedBy: 3 }),
      "storage_would_go",
    ],
    ["goes where allowDestroy names it", settingsOf(false, "FOO"), left(), "storage_goes"],
    ["goes as the last update said", settingsOf(true, "FOO"), left(), "storage_goes"],
  ])("%s", (_, settings, one, code) => {
    expect(storageLeft(settings, [one]).map((finding) => [finding.code, finding.subject])).toEqual([[code, "FOO"]]);
  });

  it("is to be added to what allowDestroy has: a list of its own would take the others out", () => {
    const [refused] = storageLeft(settingsOf(false, "BoardDO"), [left()]);
    expect(refused?.fix).toMatch(/add FOO to allowDestroy in Pulumi\..+\.yaml\.$/);
  });

  it("is told of with what is lost: Cloudflare deletes no bucket with something in it", () => {
    const [namespace, bucket] = storageLeft(settingsOf(false, "FOO"), [left(), left({ what: "bucket" })]);
    expect(namespace?.message).toContain("the KV namespace x-foo is deleted with all that is in it");
    expect(bucket?.message).toContain("the bucket x-foo is deleted, which Cloudflare refuses while something is in it");
  });

  it("is refused where it is a bucket with something in it", () => {
    const [finding] = filledBuckets(settingsOf(false, "FOO"), [left({ what: "bucket" })]);
    expect(finding).toMatchObject({
      code: "storage_would_go",
      subject: "FOO",
      message: expect.stringContaining("the bucket x-foo would be deleted and something is in it"),
      fix: expect.stringMatching(/empty it, or put the binding back.*goes on writing to it: set protect: true/),
    });
    expect(finding && isError(finding)).toBe(true);
  });

  it("is told of in the line of its binding", () => {
    const change = {
      name: "FOO",
      kind: "removed" as const,
      what: "KV namespace",
      loss: "deleted with all that is in it",
    };
    expect(report(preview({ bindings: [change] }))).toContain("- FOO (KV namespace), deleted with all that is in it");
  });
});

it("an allowance that deletes nothing is told of, but not one that is for a class", () => {
  const subjects = (settings: ReturnType<typeof settingsOf>, ...all: readonly Left[]) =>
    unusedAllowances(settings, all, new Set(["SomeDO"])).map(({ code, subject }) => `${code} ${subject}`);
  expect(subjects(settingsOf(false, "FOO", "SomeDO"), left())).toEqual([]);
  expect(subjects(settingsOf(false, "FOO", "SomeDO"))).toEqual(["allowance_unused FOO"]);
  expect(subjects(settingsOf(true, "FOO"), left({ stays: true }))).toEqual(["allowance_unused FOO"]);
});

describe("what the release has no binding for", () => {
  const settings = settingsOf(false);
  const own = storageName(settings, "FOO");
  const bound = {
    ...version(4, "1", "a"),
    bindings: [{ name: "FOO", type: "kv_namespace", namespaceId: "k1" }],
  };
  const serving = [{ ...bound, percentage: 100 }];
  /** By what serves, where the account has this namespace. */
  const asBound = (title: string, more: Partial<typeof settings> = {}) => {
    const fetch = async () =>
      Response.json({ success: true, result: [{ id: "k1", title }], result_info: { page: 1, total_pages: 1 } });
    const reads = Reads.through(new Api({ baseUrl: "http://account.test/client/v4", token: "t" }, { fetch }), "a");
    return (wanted: Parameters<typeof notDeclaredAsBound>[1]) =>
      notDeclaredAsBound(
        { reads, settings: { ...settings, ...more }, live: { ...live, versions: [bound], serving } },
        wanted,
      );
  };

  it("is what the state has", () => {
    const urn = `urn:pulumi:s::p::cloudflare:index/workersKvNamespace:WorkersKvNamespace::${LOGICAL.storage("kv", "FOO")}`;
    const known = Known.of([[urn, { id: "k1", title: own }]]);
    expect(notDeclared(known, [{ kind: "kv", binding: "FOO" }])).toEqual([]);
    const found = notDeclared(known, []);
    expect(found).toMatchObject([{ binding: "FOO", name: own, id: "k1", stays: false }]);
    expect(usedBy(bound, found)).toMatchObject([{ usedBy: 4 }]);
    expect(usedBy(undefined, found)).toMatchObject([{ usedBy: undefined }]);
  });

  it("is what serves is bound to, where nobody can read the state: under the stack's own name for it", async () => {
    expect(await asBound(own)([])).toMatchObject([{ binding: "FOO", name: own, id: "k1", stays: false }]);
    expect(await asBound(own)([{ kind: "kv", binding: "FOO" }])).toEqual([]);
    expect(await asBound("company-users")([])).toEqual([]);
    expect(await asBound(own, { bind: { FOO: "k1" } })([])).toEqual([]);
  });

  it("is nothing without the state under protect: only that says whether the last update had it, too", async () => {
    expect(await asBound(own, { protect: true })([])).toEqual([]);
  });
});

it("a pull request's stack may lose it unasked, and no warning asks for a change of its settings", () => {
  const settings = { ...settingsOf(false), stack: "pr-7" };
  expect(isDeleted(settings, left())).toBe(true);
  expect(storageLeft(settings, [left()])).toEqual([]);
  expect(storageLeft(settings, [left({ usedBy: 3 })]).map(({ code }) => code)).toEqual(["storage_would_go"]);
});
