/** What a pull request is told, and what of strangers' text and files may reach it. */

import type { Migration } from "@durable-stack/class-lifecycle";
import { build } from "esbuild";
import { zipSync } from "fflate";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Schemas } from "../../contract/release.ts";
import { toldTo } from "../../infra/plan/rules/codes.ts";
import { ARTIFACT_LIMIT, readArtifact } from "../../infra/pull-request/artifact.ts";
import { classChanges, rowChanges, tableChanges } from "../../infra/pull-request/changes.ts";
import {
  MARKERS,
  type PreviewComment,
  previewComment,
  type StackComment,
  stackComment,
} from "../../infra/pull-request/comment.ts";
import { Facts, type StackPlan } from "../../infra/pull-request/found.ts";
import { PROGRAM } from "../../infra/pull-request/look.ts";
import { COMMENT_LIMIT, fence, joined } from "../../infra/pull-request/markdown.ts";
import { BOT, findOurs } from "../../infra/pull-request/post.ts";
import { stackFile } from "../../infra/pull-request/stack-file.ts";
import { decide, type Listed, type Pull } from "../../infra/pull-request/stale.ts";
import { ROOT } from "../../infra/release/root.ts";
import { parsePublicSettings } from "../../infra/stack/config.ts";
import { fc } from "../properties.ts";

const side = (digit: string) => ({ digest: digit.repeat(64), step: "0001-first", bytes: 204_800, compressed: 51_200 });
const FACTS: Facts = {
  before: side("a"),
  after: { ...side("b"), bytes: 205_824 },
  history: [],
  steps: [],
  classes: [],
  tables: [],
  rows: [],
  operations: 9,
  settings: [],
  program: [],
  rehearsal: { ok: true, text: "Nothing was lost that the plan did not name." },
};
const PLAN: StackPlan = { stack: "staging", outcome: "planned", text: "my-app-staging: in sync" };

const comment = (more: Partial<PreviewComment> = {}) =>
  previewComment({
    facts: FACTS,
    plans: [PLAN],
    commit: "c".repeat(40),
    run: new URL("https://github.com/me/it/actions/runs/7"),
    fork: false,
    ...more,
  });

/** What is left of a comment without its fences: what GitHub takes as Markdown. */
const outsideFences = (markdown: string) => markdown.replaceAll(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "");

describe("the comment", () => {
  it("says in one line that nothing changes", () => {
    const text = comment({ facts: { ...FACTS, after: side("a") } });
    expect(text.split("\n").slice(2)).toEqual(["", expect.stringMatching(/^Nothing that is deployed: .*`a{12}`/)]);
    expect(comment({ facts: { ...FACTS, after: side("a"), settings: ["Pulumi.staging.yaml"] } })).toContain(
      "**Settings that change:** `Pulumi.staging.yaml`.",
    );
    // The digest does not cover what the program declares.
    expect(comment({ facts: { ...FACTS, after: side("a"), program: ["infra/edge.ts"] } })).toContain("infra/edge.ts");
  });

  it("has sizes before and after, and the plan of each stack", () => {
    const text = comment();
    expect(text.startsWith(MARKERS.preview)).toBe(true);
    expect(text).toContain("| all modules | 200.0 KiB | 201.0 KiB | +1 |");
    expect(text).toContain("| compressed | 50.0 KiB | 50.0 KiB | 0 |");
    expect(text).toContain("**Plan of `staging`**\n\n```text\nmy-app-staging: in sync\n```");
    expect(text).toContain("**Rows written per operation:** the same for all 9.");
  });

  it("says where a rehearsal failed, a stack would refuse the release, or the history is wrong", () => {
    const text = comment({
      facts: { ...FACTS, history: ["[lock_behind] 0002-more"], rehearsal: { ok: false, text: "LOST: 1 of 4" } },
      plans: [{ ...PLAN, outcome: "refused", text: "[destroy_not_allowed]" }],
    });
    expect(text).toContain("**Rehearsal** over the base: **failed.**");
    expect(text).toContain("**Plan of `staging`**: **it would be refused**");
    expect(text).toContain("**The history of classes is refused**");
  });

  it("tells a fork why there are no plans, and a run that failed", () => {
    expect(comment({ plans: [], fork: true })).toContain("A run for a fork has no token");
    expect(comment({ facts: undefined })).toContain("[The run](https://github.com/me/it/actions/runs/7)");
  });

  it("lets no text of the pull request out of its fence", () => {
    const hostile =
      "```\n@everyone [click](https://evil.example) <img src=x>\n````text\n\u001b[31mred\u202e\u0007\n~~~";
    const text = comment({
      facts: { ...FACTS, classes: [hostile], rehearsal: { ok: false, text: hostile } },
      plans: [{ ...PLAN, text: hostile }],
    });
    expect(text.match(/@everyone/g)).toHaveLength(3);
    expect(outsideFences(text)).not.toMatch(/@|evil|<img|red/);
    for (const unseen of ["\u001b", "\u0007", "\u202e"]) expect(text).not.toContain(unseen);
  });

  it("stays under GitHub's limit, and says how much was cut", () => {
    const long = Array.from({ length: 20_000 }, (_, i) => `line ${i}`).join("\n");
    const text = comment({ plans: [PLAN, { ...PLAN, stack: "production", text: long }] });
    expect(text.length).toBeLessThanOrEqual(COMMENT_LIMIT);
    expect(text.length).toBeGreaterThan(COMMENT_LIMIT / 3);
    expect(text).toMatch(/line \d+\n… [\d,]+ more lines: cut here, and whole in the run\.\n```/);
    // The short plan and the end are whole.
    expect(text).toContain("my-app-staging: in sync\n```");
    expect(text).toMatch(/has all of it\.$/);
  });
});

it("a look names every file of the program and of the commands that guard it, other than what the release has", async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["infra/index.mjs", "infra/run.mjs", "infra/commands/*.ts"],
    outdir: "dist",
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["@pulumi/*", "cloudflare", "esbuild", "miniflare", "wrangler", "workerd"],
    write: false,
    metafile: true,
  });
  const own = Object.keys(metafile.inputs).filter((file) => !/^(node_modules|worker)\//.test(file));
  expect(own.length).toBeGreaterThan(100);
  expect(own.filter((file) => !PROGRAM.some((part) => file === part || file.startsWith(`${part}/`)))).toEqual([]);
});

describe("the comment on a stack", () => {
  const told = (more: Partial<StackComment>) =>
    stackComment({
      up: "success",
      down: "skipped",
      url: "https://my-app-pr-5.me.workers.dev/",
      commit: "c".repeat(40),
      run: new URL("https://github.com/me/it/actions/runs/7"),
      ...more,
    });

  it("has the address, or says what went wrong", () => {
    expect(told({})).toMatch(/as of commit c{12}: https:\/\/my-app-pr-5\.me\.workers\.dev\/\n/);
    expect(told({ up: "failure" })).toContain("could not be deployed");
    expect(told({ up: "cancelled" })).toContain("was stopped");
    expect(told({ up: "skipped", down: "success" })).toContain("is gone, with its data");
    expect(told({ up: "skipped", down: "failure" })).toContain("could not be taken down");
    // As GitHub drops a job that waits where a newer one does.
    expect(told({ up: "skipped", down: "cancelled" })).toMatch(/ended early: a newer run took its place, or/);
  });

  it.each(["https://evil.example/](x)", "https://a.b/ @everyone", "javascript:alert(1)", "https://a.b/path", ""])(
    "takes %j for no address",
    (url) => {
      const text = told({ url });
      expect(text).toContain("could not be deployed");
      expect(text).not.toMatch(/evil|@|javascript|a\.b/);
    },
  );
});

describe("the settings of a pull request's stack", () => {
  const like = {
    project: "my-app",
    migrations: [
      {
        name: "0001-first",
        changes: [
          { op: "create", className: "A", storage: "sqlite" },
          { op: "rename", from: "A", to: "B" },
        ],
      },
    ],
    config: {
      accountId: "0".repeat(32),
      "my-app:workerName": "live",
      environmentPrefix: "stg-",
      homeRegion: "eu",
      regions: [{ id: "eu", prefix: "eu", locationHint: "weur" }],
      "my-app:rateLimits": { default: { capacity: 9, periodSeconds: 60 } },
      adminToken: { secure: "v1:abc" },
      zoneId: "0".repeat(32),
      hostname: "api.example.com",
      routes: ["example.com/*"],
      bind: { QUEUE: "live-queue" },
      promotesFrom: "staging",
      vars: { secret: { secure: "v1:def" } },
      corsOrigins: { secure: "v1:ghi" },
    },
  } as const;
  const made = parsePublicSettings(
    { project: "my-app", stack: "pr-5" },
    Object.fromEntries(
      Object.entries(
        v.parse(v.object({ config: v.record(v.string(), v.unknown()) }), parse(stackFile(5, like))).config,
      ).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
    { CLOUDFLARE_ACCOUNT_ID: "1".repeat(32) },
  );

  it("are a whole stack of its own, which may go", () => {
    expect(made).toMatchObject({
      accountId: "1".repeat(32),
      workerName: "my-app-pr-5",
      environmentPrefix: "pr5-",
      protect: false,
      allowDestroy: ["A", "B"],
      allowOlderRelease: "any",
      homeRegion: "eu",
      rateLimits: { default: { capacity: 9, periodSeconds: 60 } },
    });
  });

  it("are not warned of the classes that they allow for nothing, as other stacks are", () => {
    const unused = { code: "allowance_unused", subject: "A", message: "", fix: "" } as const;
    const pending = { ...unused, code: "transfer_pending" } as const;
    expect(toldTo("pr-5", [unused, pending])).toEqual([pending]);
    expect(toldTo("production", [unused, pending])).toEqual([unused, pending]);
  });

  it("have nothing that leads to the other stack's addresses, data or secrets", () => {
    expect(made).toMatchObject({ routes: [], bind: {}, corsOrigins: [] });
    expect([made.zoneId, made.hostname, made.promotesFrom]).toEqual([undefined, undefined, undefined]);
    expect(stackFile(5, like)).not.toMatch(/live|stg-|v1:abc|v1:ghi/);
  });

  it("are refused where the Worker's name would be too long", () => {
    expect(() => stackFile(5, { ...like, project: "a".repeat(50) })).toThrow("Choose a shorter name");
  });
});

describe("the sweep", () => {
  const NOW = Date.parse("2026-11-27T03:41:00Z");
  const stack = (name: string, daysAgo = 1): Listed => ({
    name,
    lastUpdate: new Date(NOW - daysAgo * 86_400_000).toISOString(),
    updateInProgress: false,
  });
  const pull = (number: number, more: Partial<Pull> = {}): Pull => ({
    number,
    headRefName: `topic-${number}`,
    labels: [{ name: "bug" }, { name: "stack" }],
    isCrossRepository: false,
    ...more,
  });
  const because = (one: Listed, pulls: readonly Pull[], branches: readonly string[] = ["main", "topic-5"]) =>
    decide({ stacks: [one], pulls, branches, days: 14, now: NOW }).map((decision) => decision.because);

  it("keeps the stack of a pull request that is open and labelled, and takes all others", () => {
    expect(because(stack("pr-5"), [pull(5)])).toEqual([undefined]);
    expect(because(stack("me/my-app/pr-5"), [pull(5)])).toEqual([undefined]);
    expect(because(stack("pr-5"), [])).toEqual(["pull request 5 is not open"]);
    expect(because(stack("pr-5"), [pull(5)], ["main"])).toEqual(['its branch "topic-5" is gone']);
    expect(because(stack("pr-5"), [pull(5, { labels: [] })])).toEqual(["the label stack was taken away"]);
    expect(because(stack("pr-5"), [pull(5, { isCrossRepository: true })])).toEqual([
      "pull request 5 comes from a fork",
    ]);
    expect(because(stack("pr-5", 14.5), [pull(5)])).toEqual(["nobody has deployed to it for 14 days"]);
    expect(because(stack("pr-5", 13.5), [pull(5)])).toEqual([undefined]);
  });

  it("leaves a stack alone that is being deployed to, and one that was never", () => {
    expect(because({ ...stack("pr-5"), updateInProgress: true }, [])).toEqual([undefined]);
    expect(because({ name: "pr-5", updateInProgress: false }, [pull(5)])).toEqual([undefined]);
  });

  it("decides of no stack that is not a pull request's", () => {
    for (const name of ["production", "pr-", "pr-0", "pr-5x", "pr-05", "xpr-5", "pr-5-blobs", "pr-12345678"]) {
      expect(because(stack(name, 100), [])).toEqual([]);
    }
  });
});

describe("a fence", () => {
  it("is closed by no line of what is in it", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("```", "`````", "   ````", "~~~"))), (lines) => {
        const all = fence(lines.join("\n")).split("\n");
        const [open = "", close] = [all[0]?.replace("text", ""), all.at(-1)];
        expect(close).toBe(open);
        const closing = all
          .slice(1, -1)
          .filter((line) => /^ {0,3}`+\s*$/.test(line) && line.trim().length >= open.length);
        expect(closing).toEqual([]);
      }),
    );
  });

  it("is cut so that all parts fit, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3_000 }), { maxLength: 8 }), (texts) => {
        const text = joined(["head", ...texts.map((fenced) => ({ fenced }))], 2_000);
        expect(text.length).toBeLessThanOrEqual(2_000);
      }),
    );
  });
});

describe("an artifact", () => {
  const Shape = v.object({ a: v.number() });
  const zip = (files: Record<string, string | Uint8Array>) =>
    zipSync(
      Object.fromEntries(
        Object.entries(files).map(([name, text]) => [
          name,
          typeof text === "string" ? new TextEncoder().encode(text) : text,
        ]),
      ),
    );
  const read = (contents: Uint8Array) => readArtifact({ name: "facts.zip", contents }, "a.json", Shape);

  it("is read where it holds the one file", () => {
    expect(read(zip({ "a.json": '{"a":1}' }))).toEqual({ a: 1 });
  });

  it.each([
    ["another file beside it", zip({ "a.json": '{"a":1}', b: "" }), "nothing else"],
    ["another name", zip({ "../a.json": '{"a":1}' }), "nothing else"],
    ["nothing", zip({}), "nothing else"],
    ["a bomb", zip({ "a.json": new Uint8Array(ARTIFACT_LIMIT + 1) }), "more than 1000000 bytes"],
    ["too many bytes", new Uint8Array(ARTIFACT_LIMIT + 1), "more than 1000000 bytes"],
    ["no archive", new TextEncoder().encode("PK"), "no whole ZIP"],
    ["no JSON", zip({ "a.json": "{" }), "not what a preview writes"],
    ["another shape", zip({ "a.json": '{"a":"@everyone"}' }), "not what a preview writes"],
  ])("is refused with %s", (_, contents, why) => {
    expect(() => read(contents)).toThrow(why);
  });

  it("is unpacked to no more bytes than it said, where it lies about them", () => {
    const archive = zip({ "a.json": `{"a":1,"b":"${"x".repeat(500_000)}"}` });
    // The size in the central directory, 24 bytes behind its mark.
    const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
    const central = archive.findIndex((_, i) => i + 4 <= archive.length && view.getUint32(i, true) === 0x02014b50);
    view.setUint32(central + 24, 7, true);
    expect(() => read(archive)).toThrow("facts.zip is not taken");
  });

  it("takes names only where they are names", () => {
    for (const step of ["`x`", "@everyone", "a b", "<b>"]) {
      expect(v.is(Facts, { ...FACTS, steps: [step] })).toBe(false);
    }
    expect(v.is(Facts, FACTS)).toBe(true);
  });
});

describe("the comment before", () => {
  const user = { login: "mallory", type: "User" };
  const body = `${MARKERS.preview}\nold`;

  it("is found by its marker and its author together", () => {
    const ours = { id: 4, body, user: BOT };
    const others = [
      { id: 1, body, user },
      { id: 2, body: `I quote: ${body}`, user: BOT },
      { id: 3, body: `${MARKERS.stack}\nhttps://…`, user: BOT },
      { id: 5, body, user: null },
      { id: 6, body, user: { login: BOT.login, type: "User" } },
    ];
    expect(findOurs([...others, ours], "preview")).toBe(ours);
    expect(findOurs(others, "preview")).toBeUndefined();
  });
});

describe("what changes", () => {
  const first = { name: "0001-first", changes: [{ op: "create", className: "A", storage: "sqlite" }] } as const;
  const second = {
    name: "0002-second",
    changes: [
      { op: "rename", from: "A", to: "B" },
      { op: "create", className: "C", storage: "sqlite" },
    ],
  } as const;

  it("of the classes is what the steps do that the base does not have", () => {
    expect(classChanges([first], [first, second])).toEqual({
      steps: ["0002-second"],
      classes: ["~ A -> B, with all its objects", "+ C (sqlite)"],
    });
    expect(classChanges([first], [first])).toEqual({ steps: [], classes: [] });
  });

  it("of a step that the base has is named as what refuses the release", () => {
    const edited = { ...first, changes: [{ op: "create", className: "Z", storage: "sqlite" }] } as const;
    expect(classChanges([first, second], [edited, second]).classes).toEqual([
      expect.stringContaining("! step 0001-first"),
    ]);
    expect(classChanges([first, second], [first]).classes).toEqual([expect.stringContaining("! step 0002-second")]);
  });

  it("of the tables says where there is no way back", () => {
    const of = (steps: readonly string[], needs = 0, className = "A") => ({
      [className]: { steps: [...steps], needs },
    });
    const told = (after: Schemas, migrations: readonly Migration[] = [first]) =>
      tableChanges({ migrations: [first], schemas: of(["1"]) }, { migrations, schemas: after });
    expect(told(of(["1", "2"]))).toEqual(["+ A: 1 step more of its tables"]);
    expect(told(of(["1", "2"], 2))).toEqual([expect.stringContaining("no way back")]);
    expect(told(of(["9"]))).toEqual([expect.stringMatching(/^! A: step 1/)]);
    expect(told(of(["1"]))).toEqual([]);
    // A is called B then, and C is new.
    expect(told({ ...of(["1"], 0, "B"), ...of(["1", "2"], 0, "C") }, [first, second])).toEqual([]);
    expect(told(of(["1", "2"], 0, "B"), [first, second])).toEqual(["+ B: 1 step more of its tables"]);
  });

  it("of the rows is each operation that writes more or fewer, that comes or goes", () => {
    const costs = (rows: Record<string, number>, check: number) => ({
      operations: Object.entries(rows).map(([option, ours]) => ({ option, says: "", ours, articles: 1 })),
      check: { ours: check, articles: 1, callsWhenOften: 1 },
    });
    expect(
      rowChanges(costs({ votes: 1, words: 2, gone: 3 }, 0.1), costs({ votes: 1.5, words: 2, made: 4 }, 0.2)),
    ).toEqual([
      { operation: "votes", before: 1, after: 1.5 },
      { operation: "made", before: null, after: 4 },
      { operation: "check", before: 0.1, after: 0.2 },
      { operation: "gone", before: 3, after: null },
    ]);
  });
});
