/** Bindings that a Worker would lose when it is taken over: each is named, and lost only if the stack allows it. */
import { describe, expect, it } from "vitest";
import { bindingChanges } from "../../infra/plan/claims/bindings.ts";
import { type Dropping, droppedFindings } from "../../infra/plan/claims/dropped.ts";

type Live = Dropping["live"][number];
const live = (name: string, type: string, more: Partial<Live> = {}): Live => ({
  ...{ json: undefined, className: undefined, namespaceId: undefined, bucketName: undefined },
  ...{ id: undefined, databaseId: undefined, jurisdiction: undefined },
  ...{ name, type },
  ...more,
});

const dropping = (more: Partial<Dropping> = {}): Dropping => ({
  fileOf: (key) => (key === "bind" ? ".local/Pulumi.staging.yaml" : "Pulumi.staging.yaml"),
  worker: "visits",
  live: [],
  given: new Map(),
  all: true,
  crons: { live: [], given: [] },
  consumers: { live: [], given: [] },
  logpush: { live: false, given: undefined },
  handlers: ["fetch"],
  allowDrop: [],
  ...more,
});
const said = (more: Partial<Dropping>) =>
  droppedFindings(dropping(more)).map(({ code, subject, message, fix }) => `[${code}] ${subject}: ${message} ${fix}`);

describe("a Worker that is taken over", () => {
  it("would lose bindings that the release lacks: each is named, with its target and the way to keep it", () => {
    const all = [
      live("CACHE", "kv_namespace", { namespaceId: "k1" }),
      live("API_KEY", "secret_text"),
      live("MODE", "plain_text"),
      live("JOBS", "queue"),
      live("AI", "ai"),
    ];
    const lines = said({ live: all });
    expect(lines).toHaveLength(5);
    expect(lines[0]).toBe(
      '[adopt_drops] CACHE: the live Worker has a KV namespace k1 under this name, and would lose it. add it to wrangler.jsonc and build again; or, where nobody needs it any more, add "CACHE" to allowDrop in Pulumi.staging.yaml.',
    );
    expect(lines[1]).toMatch(/API_KEY: the live Worker has a secret .*infra\/index\.ts.*cannot be read back/);
    expect(lines[4]).toMatch(/AI: the live Worker has a binding of type ai/);
  });

  it("would get other storage under the same name, unless `bind` names its own", () => {
    const bound = [live("DB", "d1", { id: "d1" }), live("READS", "kv_namespace", { namespaceId: "k1" })];
    expect(
      said({
        live: bound,
        given: new Map([
          ["DB", []],
          ["READS", ["app-staging-reads"]],
        ]),
      }),
    ).toEqual([
      expect.stringMatching(
        /DB: .*D1 database d1 under this name, and would get a new one instead. set bind: \{ DB: d1 \} in \.local\/Pulumi\.staging\.yaml/,
      ),
      expect.stringMatching(/READS: .*would get app-staging-reads instead. set bind: \{ READS: k1 \}/),
    ]);
    expect(
      said({
        live: bound,
        given: new Map([
          ["DB", ["d1"]],
          ["READS", ["name", "k1"]],
        ]),
      }),
    ).toEqual([]);
  });

  it("keeps its cron triggers if the release has none; else each that the release would remove is named", () => {
    const crons = { live: ["0 1 * * *", "0 2 * * *"], given: ["0 2 * * *"] };
    expect(said({ crons })).toEqual([expect.stringMatching(/^\[adopt_drops\] cron 0 1 \* \* \*: /)]);
    expect(said({ crons: { ...crons, given: [] } })).toEqual([]);
  });

  it("would tell no tail consumer any more that the release does not name, and push no logs that it does not speak of", () => {
    expect(said({ consumers: { live: ["watch", "audit"], given: ["audit"] } })).toEqual([
      expect.stringMatching(/^\[adopt_drops\] tail consumer watch: .*tail_consumers in wrangler\.jsonc/),
    ]);
    expect(said({ logpush: { live: true, given: undefined } })).toEqual([
      expect.stringMatching(/^\[adopt_drops\] logpush: .*logpush: true in wrangler\.jsonc/),
    ]);
    expect(said({ logpush: { live: true, given: true } })).toEqual([]);
    expect(said({ logpush: { live: true, given: false } }), "which says so itself").toEqual([]);
    const both = { consumers: { live: ["watch"], given: [] }, logpush: { live: true, given: undefined } };
    expect(said({ ...both, allowDrop: ["tail consumer watch", "logpush"] })).toEqual([]);
  });

  it("handles events beside requests: they are named, because the plan does not see those of the release", () => {
    const [line = "", ...more] = said({ handlers: ["fetch", "queue", "scheduled"] });
    expect(more).toEqual([]);
    expect(line).toMatch(/^\[adopt_handlers\] queue, scheduled: .*worker\/index\.ts has a handler for each: docs\//);
    expect(said({ handlers: [] })).toEqual([]);
  });

  it("may lose bindings that the stack allows by name", () => {
    const more = { live: [live("MODE", "plain_text")], crons: { live: ["0 1 * * *"], given: ["0 2 * * *"] } };
    expect(said({ ...more, allowDrop: ["MODE", "cron 0 1 * * *"] })).toEqual([]);
  });

  it("does not list its own classes, which the plan lists already, nor its version metadata", () => {
    const own = [
      live("ROOM", "durable_object_namespace", { className: "Room" }),
      live("HALL", "durable_object_namespace", { className: "Hall", scriptName: "visits" }),
      live("V", "version_metadata"),
    ];
    expect(said({ live: own })).toEqual([]);
    const others = [live("ROOM", "durable_object_namespace", { className: "Room", scriptName: "chat" })];
    expect(said({ live: others })).toHaveLength(1);
  });
});

it("for a new version, lists added and removed bindings, but not those of the program or of a class", () => {
  const before = [
    live("CACHE", "kv_namespace", { namespaceId: "k1" }),
    live("MODE", "plain_text"),
    live("ADMIN_TOKEN_PREVIOUS", "secret_text"),
    live("THING", "durable_object_namespace", { className: "ThingDO" }),
  ];
  const given = new Map([...["MODE", "JOBS", "ROOMS", "REGIONS"].map((name) => [name, []] as const)]);
  expect(bindingChanges({ live: before, given, all: true, worker: "visits" }, ["ROOMS"])).toEqual([
    { name: "JOBS", kind: "added" },
    { name: "CACHE", kind: "removed", what: "KV namespace" },
  ]);
});

describe("what infra/index.ts adds", () => {
  const before = [live("STRIPE_KEY", "secret_text"), live("EVENTS", "analytics_engine"), live("MODE", "plain_text")];

  it("is not said to go where the version has it", () => {
    const given = new Map(["STRIPE_KEY", "EVENTS", "MODE"].map((name) => [name, []] as const));
    expect(bindingChanges({ live: before, given, all: true, worker: "visits" }, [])).toEqual([]);
    expect(said({ live: before, given })).toEqual([]);
  });

  it("is not spoken of where nobody has run the program; what wrangler.jsonc gives is", () => {
    expect(bindingChanges({ live: before, given: new Map(), all: false, worker: "visits" }, [])).toEqual([
      { name: "MODE", kind: "removed", what: "variable" },
    ]);
    expect(said({ live: before, all: false })).toEqual([expect.stringMatching(/MODE/)]);
  });
});
