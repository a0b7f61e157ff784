/** The Worker for a request: by the most specific route, then the custom domain, then the account's subdomain. */
import { describe, expect, it } from "vitest";
import type { Deployment, Domain, Route, State, Version, Worker } from "../../src/model.ts";
import { parsePattern, target } from "../../src/routing.ts";
import { versionAt } from "../../src/traffic.ts";

const byId = <T extends { readonly id: string }>(...records: readonly T[]) => new Map(records.map((r) => [r.id, r]));

const worker = (name: string, enabled = true): Worker => ({
  id: name,
  name,
  createdOn: "",
  updatedOn: "",
  deployedOn: "",
  logpush: false,
  observability: { enabled: false },
  subdomain: { enabled, previews_enabled: enabled },
  tags: [],
  tailConsumers: [],
  schedules: [],
  versionCount: 1,
  migrationTag: null,
  usesExports: false,
  lifecycleFloor: 0,
});

const version = (workerId: string, id = `${workerId}-v1`, number = 1): Version => ({
  id,
  workerId,
  number,
  createdOn: "",
  source: "api",
  annotations: {},
  bindings: [],
  compatibilityDate: "2026-11-01",
  compatibilityFlags: [],
  mainModule: "index.js",
  modules: [],
  code: { handlers: ["fetch"], named: {} },
  exports: null,
  migrations: null,
  extras: {},
  startupTimeMs: 1,
  report: null,
  migrationTag: null,
  deployedOn: "",
});

const deployment = (workerId: string): Deployment => ({
  id: workerId,
  workerId,
  createdOn: "",
  source: "api",
  versions: [{ version_id: `${workerId}-v1`, percentage: 100 }],
  annotations: {},
});

function state(
  names: readonly string[],
  routes: readonly [string, string | null][] = [],
  domains: readonly [string, string][] = [],
): State {
  return {
    identity: byId({ id: "account", accountId: "", token: "", subdomain: "local", createdOn: "" }),
    workers: byId(...names.map((name) => worker(name, !name.startsWith("hidden")))),
    versions: byId(...names.map((name) => version(name))),
    deployments: byId(...names.filter((name) => !name.startsWith("draft")).map(deployment)),
    namespaces: new Map(),
    transfers: new Map(),
    kvNamespaces: new Map(),
    buckets: new Map(),
    databases: new Map(),
    hyperdrives: new Map(),
    queues: new Map(),
    consumers: new Map(),
    workflows: new Map(),
    zones: new Map(),
    assetFiles: new Map(),
    assetSessions: new Map(),
    history: new Map(),
    routes: byId(...routes.map(([pattern, script]): Route => ({ id: pattern, zoneId: "", pattern, script }))),
    domains: byId(
      ...domains.map(([hostname, service]): Domain => ({ id: hostname, hostname, service, zoneId: "", certId: "" })),
    ),
  };
}

const names = ["a", "b", "c"];

function found(of: State, host: string, path = "/", chosen?: string): string | undefined {
  const result = target(of, host, path, chosen);
  return "worker" in result ? result.worker.name : undefined;
}

describe("the front door", () => {
  it("answers on loopback with the chosen Worker, else with the first deployed one", () => {
    expect(found(state(["draft", "a", "b"]), "127.0.0.1")).toBe("a");
    expect(found(state(names), "localhost", "/", "c")).toBe("c");
    expect(found(state(names), "127.0.0.1", "/", "not there")).toBe("a");
    expect(found(state([]), "127.0.0.1")).toBeUndefined();
  });

  it("answers on the account's subdomain by name, if the Worker is enabled and deployed there", () => {
    const of = state(["a", "hidden", "draft"]);
    expect(found(of, "a.local.localhost")).toBe("a");
    expect(found(of, "A.LOCAL.LOCALHOST")).toBe("a");
    for (const name of ["hidden", "draft", "nobody"]) expect(found(of, `${name}.local.localhost`)).toBeUndefined();
  });

  it("takes the most specific route first", () => {
    const of = state(
      names,
      [
        ["*.example.com/*", "a"],
        ["example.com/*", "a"],
        ["shop.example.com/*", "b"],
        ["shop.example.com/api/*", "c"],
        ["shop.example.com/api/health", null],
      ],
      [["shop.example.com", "a"]],
    );
    expect(found(of, "www.example.com", "/x")).toBe("a");
    expect(found(of, "example.com", "/")).toBe("a");
    expect(found(of, "shop.example.com", "/x")).toBe("b");
    expect(found(of, "shop.example.com", "/api/x")).toBe("c");
    expect(found(of, "shop.example.com", "/api/health")).toBeUndefined();
    expect(found(of, "example.org", "/")).toBeUndefined();
  });

  it("takes the custom domain if no route covers the path", () => {
    const of = state(names, [["app.example.com/api/*", "b"]], [["app.example.com", "a"]]);
    expect(found(of, "app.example.com", "/")).toBe("a");
    expect(found(of, "app.example.com", "/api/x")).toBe("b");
  });

  it("distinguishes `*.` and `*` at the beginning of a host", () => {
    expect(found(state(names, [["*.example.com/*", "a"]]), "example.com")).toBeUndefined();
    expect(found(state(names, [["*example.com/*", "a"]]), "example.com")).toBe("a");
    expect(found(state(names, [["*example.com/*", "a"]]), "x.example.com")).toBe("a");
    expect(found(state(names, [["example.com", "a"]]), "example.com", "/x")).toBeUndefined();
  });

  it.each(["", "*", "exa*mple.com/*", "example.com/*/x", "example.com/x?y=1"])(
    "refuses the pattern '%s'",
    (pattern) => {
      expect(typeof parsePattern(pattern)).toBe("string");
    },
  );
});

describe("a split of the traffic", () => {
  const serving = (newShare: number) => [
    { version: version("a", "old", 1), percentage: 100 - newShare },
    { version: version("a", "new", 2), percentage: newShare },
  ];

  it("gives every version its share", () => {
    const points = Array.from({ length: 1_000 }, (_, index) => index / 10);
    const newer = points.filter((point) => versionAt(serving(10), point)?.id === "new");
    expect(newer).toHaveLength(100);
  });

  it("never moves a client back while a rollout grows", () => {
    for (let point = 0; point < 100; point++) {
      const ids = [1, 10, 50, 99, 100].map((share) => versionAt(serving(share), point)?.id);
      expect(ids.slice(ids.indexOf("new")).includes("old")).toBe(false);
    }
  });
});
