/** Which addresses come and go by an update, from what the state or the account has. */
import { expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { type Addressing, addressPlan } from "../../infra/plan/addresses/changes.ts";
import { changes, report } from "../../infra/plan/report.ts";
import { Known } from "../../infra/plan/state/known.ts";
import { Api, ApiError } from "../../infra/provider/api.ts";
import { LOGICAL, workerInputs } from "../../infra/stack/declared.ts";
import { preview } from "./preview.ts";

const { settings, claims, release } = preview();
const NAME = settings.workerName;
const ZONE = { zoneId: "1".repeat(32) };

/** The answers of an account by what a path ends in; a number refuses. */
const account = (answers: Readonly<Record<string, object | number>>) =>
  Reads.through(
    new Api(
      { baseUrl: "http://api.test/client/v4", token: "t" },
      {
        fetch: async (request) => {
          const { pathname } = new URL(request instanceof Request ? request.url : request);
          const [, answer = []] = Object.entries(answers).find(([end]) => pathname.endsWith(end)) ?? [];
          if (typeof answer === "number") return Response.json({ success: false, errors: [] }, { status: answer });
          return Response.json({ success: true, result: answer });
        },
      },
    ),
    "a",
  );

const ALL = { release: 100, findings: [] };
const STAYS =
  "workers.dev stays for this update: one that finds the others there, and gives the release all traffic, turns it off";

const urn = (type: string, name: string) => `urn:pulumi:s::p::cloudflare:index/x:${type}::${name}`;
const state = (hostname: string | undefined, ...routes: readonly string[]) =>
  Known.of([
    ...(hostname === undefined ? [] : [[urn("WorkersCustomDomain", LOGICAL.domain), { hostname }] as const]),
    ...routes.map((pattern) => [urn("WorkersRoute", LOGICAL.route(pattern)), { pattern }] as const),
  ]);

/** A stack whose Worker serves; `enabled`: whether on workers.dev. */
function stack(enabled: boolean | undefined, more: Partial<Addressing> = {}, tags: readonly string[] = []): Addressing {
  const worker = {
    id: "w",
    name: NAME,
    deployedOn: "2026-11-26",
    tags: [...tags],
    references: { workers: [], durableObjects: [] },
    ...(enabled !== undefined && { subdomain: { enabled } }),
  };
  const ownWorker = { worker, name: NAME, inState: true, renamedFrom: undefined, findings: [] };
  return { reads: account({}), settings, ownWorker, claims, known: state(undefined), traffic: ALL, ...more };
}

/** What the plan says, and whether the Worker is on workers.dev after it. */
async function said(addressing: Addressing) {
  const addresses = await addressPlan(addressing);
  const { subdomain } = workerInputs(addressing.settings, release, addresses.staysOnWorkersDev);
  const { text = "" } = /^ {2}addresses (?<text>[\s\S]*)$/m.exec(report(preview({ addresses })))?.groups ?? {};
  return { lines: text.split("\n").map((line) => line.trim()), isOn: subdomain.enabled };
}

it("leaves workers.dev on while a host name comes in its place, and turns it off once that is there", async () => {
  const named = { ...settings, ...ZONE, hostname: "api.example.com" };
  expect(await said(stack(true, { settings: named }))).toEqual({
    lines: ["+ custom domain api.example.com", "- workers.dev", STAYS],
    isOn: true,
  });
  expect(await said(stack(true, { settings: named, known: state("api.example.com") }))).toEqual({
    lines: ["- workers.dev"],
    isOn: false,
  });
  expect(await said(stack(false, { settings: named, known: state("api.example.com") }))).toEqual({
    lines: [""],
    isOn: false,
  });
});

it("leaves workers.dev on until a rollout, in which the host name came, has ended", async () => {
  const named = { ...settings, ...ZONE, hostname: "api.example.com" };
  const share = (release: number) => ({
    release,
    stable: { versionId: "v-4", percentage: 100 - release },
    findings: [],
  });
  const began = stack(true, { settings: named, traffic: share(1) });
  expect((await said(began)).isOn).toBe(true);
  const { tags } = workerInputs(named, release, (await addressPlan(began)).staysOnWorkersDev);
  const step = (traffic: Addressing["traffic"], left: readonly string[] = tags) =>
    said(stack(true, { settings: named, known: state("api.example.com"), traffic }, left));
  expect(await step(share(10))).toEqual({ lines: ["- workers.dev", STAYS], isOn: true });
  expect(await step(share(0)), "an end of the rollout that takes the traffic back").toMatchObject({ isOn: true });
  expect(await step(ALL)).toEqual({ lines: ["- workers.dev"], isOn: false });
  // Somebody put it there, and no update left it.
  const own = workerInputs(named, release).tags;
  expect(await step(share(10), own)).toEqual({ lines: ["- workers.dev"], isOn: false });
});

it("tells of a host name and routes that change or go, and of workers.dev that comes back", async () => {
  const known = state("api.example.com", "example.com/a/*", "example.com/b/*");
  const other = { ...settings, ...ZONE, hostname: "new.example.com", routes: ["example.com/a/*"] };
  expect(await said(stack(false, { settings: other, known }))).toEqual({
    lines: ["+ custom domain new.example.com", "- custom domain api.example.com", "- route example.com/b/*"],
    isOn: false,
  });
  expect(await said(stack(false, { known: state(undefined, "example.com/a/*") }))).toEqual({
    lines: ["- route example.com/a/*", "+ workers.dev"],
    isOn: true,
  });
});

it("makes a new host name before the old one goes, and the same one after it: it exists once", async () => {
  const changes = async (known: Known | undefined) => {
    const asked = { settings: { ...settings, ...ZONE, hostname: "api.example.com" }, known };
    return (await addressPlan(stack(false, asked))).changesHostname;
  };
  expect(await changes(state("old.example.com"))).toBe(true);
  expect(await changes(state("api.example.com"))).toBe(false);
  expect(await changes(undefined), "where nobody can tell").toBe(false);
});

it("tells of the domain that is made anew where the Worker gets another name", async () => {
  const asked = stack(false, {
    settings: { ...settings, ...ZONE, hostname: "api.example.com" },
    known: state("api.example.com"),
  });
  const ownWorker = { ...asked.ownWorker, name: "old", renamedFrom: "old" };
  expect((await said({ ...asked, ownWorker })).lines).toEqual([
    "~ custom domain api.example.com is deleted and made anew for the Worker's new name: until then it answers nowhere",
  ]);
  expect((await said({ ...asked, ownWorker, known: state("old.example.com") })).lines).toEqual([
    "+ custom domain api.example.com",
    "- custom domain old.example.com",
  ]);
});

it("says nothing of workers.dev for a Worker that is new or taken over, and nothing twice of what is taken over", async () => {
  const named = { ...settings, ...ZONE, hostname: "api.example.com", routes: ["example.com/a/*"] };
  const { ownWorker } = stack(true);
  const lines = ["+ custom domain api.example.com", "+ route example.com/a/*"];
  const fresh = { ...ownWorker, worker: undefined };
  expect(await said(stack(true, { settings: named, ownWorker: fresh }))).toEqual({ lines, isOn: false });
  const over = { worker: "a/w", domain: "a/d", routes: new Map([["example.com/a/*", "z/r"]]) };
  expect(await said(stack(true, { settings: named, claims: over }))).toEqual({ lines: [""], isOn: false });
  expect((await said(stack(undefined, { settings: named }))).lines).toEqual(lines);
});

it("asks the account where nobody can read the state, which does not say whose an address is", async () => {
  const there = {
    domains: [
      { id: "1", hostname: "old.example.com", service: NAME },
      { id: "2", hostname: "not-ours.example.com", service: "other" },
    ],
    routes: [{ id: "3", pattern: "example.com/a/*", script: NAME }],
  };
  const asked = stack(false, {
    known: undefined,
    reads: account(there),
    settings: { ...settings, ...ZONE, hostname: "api.example.com", routes: ["example.com/a/*"] },
  });
  expect((await said(asked)).lines).toEqual([
    "+ custom domain api.example.com",
    "- custom domain old.example.com, where the state has it",
  ]);
  const over = { ...asked, claims: { worker: "a/w", domain: undefined, routes: new Map() } };
  expect((await said(over)).lines, "a Worker that is taken over loses none").toEqual([
    "+ custom domain api.example.com",
  ]);
  const refused = { ...asked, reads: account({ domains: 403, routes: 403 }) };
  expect((await said(refused)).lines).toEqual([""]);
  const failing = { ...asked, reads: account({ domains: 500, routes: 500 }) };
  await expect(addressPlan(failing)).rejects.toBeInstanceOf(ApiError);
  expect((await said({ ...failing, reads: failing.reads.lenient() })).lines).toEqual([""]);
});

it("is a part of what a reviewer approves, which an interruption makes no other", async () => {
  const named = { ...settings, ...ZONE, hostname: "api.example.com" };
  const approved = async (known: Known) =>
    changes(preview({ addresses: await addressPlan(stack(true, { settings: named, known })) })).filter((line) =>
      /custom domain|workers\.dev/.test(line),
    );
  expect(await approved(state(undefined))).toEqual(["+ custom domain api.example.com", "- workers.dev"]);
  expect(await approved(state("api.example.com"))).toEqual(["- workers.dev"]);
});
