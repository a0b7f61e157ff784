/** Who may do what: checks every cell of the table in docs/access.md with calls to the running Worker. */
import { Hono } from "hono";
import * as v from "valibot";
import { beforeEach, describe, expect, it, vi } from "vitest";
import page from "../../docs/access.md?raw";
import { access } from "../../worker/access.ts";
import type { App } from "../../worker/http/context.ts";
import { guardedRoutes, may } from "../../worker/http/may.ts";
import { answerOf, KINDS, type Kind, type Rule, withRule } from "../../worker/who.ts";
import { ADMIN, type Answer, keyWith } from "./helpers.ts";
import { hasSessions, isLive, logIn } from "./log-in.ts";
import { ask, type Tries } from "./tries.ts";

type Headers = Record<string, string>;

const modules = import.meta.glob<{ tries: Tries }>("../*/worker/tries.ts", { eager: true });
const tries: Tries = Object.assign({}, ...Object.values(modules).map((module) => module.tries));

const kinds = KINDS.filter((kind) => hasSessions || (kind !== "user" && kind !== "guest"));

/** The rows of the table. */
const rows = page
  .split("\n")
  .filter((line) => /^\| `(GET|POST|PUT|DELETE) /.test(line))
  .map((line) => {
    const [route = "", action = "", ...rest] = line.slice(2, -2).split(" | ");
    const of = Object.fromEntries(KINDS.map((kind, i) => [kind, rest[i] ?? ""]));
    return { route: route.replaceAll("`", ""), action: action.replaceAll("`", ""), of, open: rest.at(-1) };
  });
const cells = rows.flatMap(({ route, action, of }) => kinds.map((kind) => ({ route, action, kind, cell: of[kind] })));

/** What an answer says of the caller's rights; if it says nothing of them, the answer. */
function verdictOf({ status, body }: Answer, isMissing: boolean): string {
  if (status === 401 || status === 403) return "refused";
  const isAllowed = isMissing ? status === 404 : status < 500 && status !== 404 && status !== 429;
  return isAllowed ? "allowed" : `${status}: ${JSON.stringify(body)}`;
}

describe("every cell of docs/access.md", () => {
  const shown = new Map<Kind, Headers>();
  beforeEach(async () => {
    shown
      .set("admin", ADMIN)
      .set("service", await keyWith())
      .set("anonymous", {});
    if (!hasSessions) return;
    if (!(await isLive(shown.get("user")))) shown.set("user", await logIn("ann"));
    if (!(await isLive(shown.get("guest")))) shown.set("guest", await logIn("gus", { headers: {} }));
  });

  /** Makes the route's call of `tries.ts`, about a thing of `owner`, in a room with this rule. Returns how it ended. */
  async function tried(
    route: string,
    owner: string,
    headers: Headers,
    { rule = "members", more = {} }: { rule?: string; more?: object } = {},
  ) {
    const attempt = await tries[route]?.(owner, rule);
    if (!attempt) throw new Error(`No tries.ts has a call for ${route}`);
    const { path, missing = false, ...call } = attempt;
    const answer = await ask(path, { ...call, headers: { ...call.headers, ...headers }, ...more });
    return { status: answer.status, verdict: verdictOf(answer, missing) };
  }

  it.each(cells)("$route for $kind: $cell", async ({ route, action, kind, cell }) => {
    // Calls that end sessions get sessions of their own.
    const ends = /^(DELETE|POST) \/session(\/|$)(?!create)/.test(route);
    const own = { user: () => logIn("ann"), guest: () => logIn("gus", { headers: {} }) };
    const headers = (ends && (kind === "user" || kind === "guest") ? await own[kind]() : shown.get(kind)) ?? {};
    const refused = kind === "anonymous" ? 401 : 403;
    switch (cell) {
      case "yes":
      case "guests":
        expect((await tried(route, "ben", headers)).verdict).toBe("allowed");
        break;
      case "no":
        // These callers have no session: 401, or 404 for another token in its place. To end none is no fault.
        if (action === "session.use") {
          const statuses = route.startsWith("DELETE ") ? [401, 404, 200] : [401, 404];
          expect(statuses).toContain((await tried(route, "ann", headers)).status);
        } else expect((await tried(route, kind === "user" ? "ann" : "ben", headers)).status).toBe(refused);
        break;
      case "own":
        if (action !== "session.use") expect((await tried(route, "ben", headers)).status).toBe(403);
        expect((await tried(route, "ann", headers)).verdict).toBe("allowed");
        break;
      case "own rule":
        expect((await tried(route, "ann", headers)).verdict).toMatch(/^(allowed|refused)$/);
        break;
      case "granted":
        expect((await tried(route, "ann", headers)).status).toBe(403);
        for (const grant of [action, action.split(".")[0] ?? ""]) {
          expect((await tried(route, "ann", await keyWith(grant))).verdict).toBe("allowed");
        }
        expect((await tried(route, "ann", await keyWith("elsewhere.everything"))).status).toBe(403);
        break;
      case "room":
      case "room, granted": {
        expect((await tried(route, "ben", headers, { rule: "members" })).status).toBe(refused);
        expect((await tried(route, "ben", headers, { rule: "users" })).verdict).toBe(
          kind === "user" ? "allowed" : "refused",
        );
        expect((await tried(route, "ann", headers, { rule: "members" })).status === 403).toBe(
          kind !== "user" && kind !== "anonymous",
        );
        // A caller without a name may neither upload nor read files.
        const nameless = kind === "anonymous" && action === "chat.attach";
        expect((await tried(route, "ben", headers, { rule: "public" })).verdict).toBe(nameless ? "refused" : "allowed");
        if (cell.endsWith("granted")) {
          expect((await tried(route, "ben", await keyWith(action), { rule: "members" })).verdict).toBe("allowed");
        }
        break;
      }
      default:
        throw new Error(`"${cell}" is not a known kind of cell`);
    }
  });

  it.each(rows)("$route on an open stack: $open", async ({ route, open }) => {
    const more = { settings: { access: "open", demoLogin: false } };
    const { verdict } = await tried(route, "ben", {}, { more });
    if (open === "anybody" && !route.includes("/attachments")) expect(verdict).toBe("allowed");
    else {
      const closed = { settings: { demoLogin: false, access: "rules" } };
      expect(verdict).toBe((await tried(route, "ben", {}, { more: closed })).verdict);
    }
  });

  it("is about an existing route, and every guarded route is in the table", async () => {
    const Operation = v.object({ "x-access": v.optional(v.object({ action: v.string() })) });
    const Document = v.object({ paths: v.record(v.string(), v.record(v.string(), Operation)) });
    const { paths } = v.parse(Document, (await ask("/openapi.json")).body);
    const guarded = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { "x-access": access }]) =>
        access ? [`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")} ${access.action}`] : [],
      ),
    );
    const table = new Set(rows.map(({ route, action }) => `${route} ${action}`));
    expect(table, "the routes have changed: npm run access writes the table anew").toEqual(new Set(guarded));
  });
});

describe("a rule by which the object decides", () => {
  const decided = (shipped: Rule, chosen: Rule) => withRule("pattern.act", { may: shipped }, { may: chosen }).may;
  const answer = (rule: Rule) => answerOf(rule, "pattern.act", { caller: { kind: "user", id: "ann" } });

  it("is refused for an action whose routes do not ask the object", () => {
    expect(() => decided("admin", "keeper")).toThrow('worker/access.ts: pattern.act cannot be "keeper"');
    expect(() => decided("users", "object")).toThrow('worker/access.ts: pattern.act cannot be "object"');
  });

  it("is refused as soon as a route names the action", () => {
    const chosen = vi.spyOn(access, "get").mockReturnValue({ may: "keeper" });
    const jobs = {
      folder: "jobs",
      name: "jobs",
      binding: "JOBS",
      class: "JobsDO",
      path: "/jobs",
      settings: {},
    } as const;
    expect(() => may({ ...jobs, actions: { clear: { may: "admin" } } }, "clear")).toThrow("jobs.clear");
    chosen.mockRestore();
  });

  it("and a function that leaves it to such an object lets nobody through", () => {
    expect(answer(decided("admin", () => "object"))).toBe(false);
    expect(answer(decided("admin", () => true))).toBe(true);
  });

  it("may take the place of another one, or of a function", () => {
    expect(answer(decided("object", "keeper"))).toBe("object");
    expect(answer(decided("keeper", () => "object"))).toBe("object");
  });

  it("may be a function of the pattern's own", () => {
    const own: Rule = () => "object";
    expect(answer(decided(own, own))).toBe("object");
  });
});

describe("a route without an action", () => {
  it("is found, whatever other middleware is in front of it", () => {
    const routes = new Hono<App>().get("/bare", (c) => c.text("open")).post("/bare", (c) => c.text("open"));
    expect(guardedRoutes(routes)).toEqual([
      { method: "GET", path: "/bare", action: undefined },
      { method: "POST", path: "/bare", action: undefined },
    ]);
  });
});
