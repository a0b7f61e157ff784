/** A stack that has missed a release, and cannot catch up without it, on the real engine: what each message leads to. */
import { history } from "@durable-stack/class-lifecycle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkout, Checkouts } from "../checkouts.ts";
import { Site } from "./site.ts";

describe("production, where staging has taken a release between", () => {
  const checkouts = new Checkouts();
  const { migrations } = history()
    .step("0001-create", (classes) => classes.create("A"))
    .step("0002-rename", (classes) => classes.rename("A", "B"))
    .step("0003-create-again", (classes) => classes.create("A"));
  const upTo = (name: string, steps: number): Checkout => checkouts.make(name, migrations.slice(0, steps));
  const [first, second, third] = [upTo("first", 1), upTo("second", 2), upTo("third", 3)];
  let staging: Site;
  let production: Site;
  beforeAll(async () => {
    staging = await Site.open({ name: "staging", config: { protect: false } });
    production = await Site.open({
      name: "production",
      beside: staging,
      config: { protect: false, soakMinutes: 0 },
    });
    for (const site of [staging, production]) {
      const up = await site.deploy(first);
      expect(up.ok, up.text).toBe(true);
    }
    expect(await production.call("A")).toMatchObject({ count: 1 });
    for (const checkout of [second, third]) expect((await staging.deploy(checkout)).ok).toBe(true);
  });
  afterAll(async () => {
    await production?.close();
    await staging?.close();
    checkouts.remove();
  });

  /** A deployment that is refused, and sends nothing. Returns what it says. */
  async function refused(site: Site, checkout: Checkout): Promise<string> {
    staging.proxy.takeWrites();
    const { ok, text } = await site.deploy(checkout);
    expect(ok).toBe(false);
    expect(staging.proxy.takeWrites()).toEqual([]);
    return text;
  }
  const allow = (allowMissedRelease: string) => production.set({ allowMissedRelease });
  const RUNBOOK = /docs\/runbooks\.md#a-stack-that-missed-a-release/;

  it("is led from the release that it cannot take to the runbook, and not to staging and back", async () => {
    const needs = await refused(production, third);
    expect(needs).toMatch(/\[needs_intermediate_release\] A: .*whose history ends at 0002-rename first/);
    expect(needs).toMatch(RUNBOOK);
    const missed = await refused(production, second);
    expect(missed).toMatch(
      new RegExp(
        `\\[promotion_missed\\].*staging .*0003-create-again.*allowMissedRelease: "${second.digest.slice(0, 12)}"`,
      ),
    );
    expect(missed).toMatch(RUNBOOK);
    expect(missed).not.toMatch(/deploy this release to staging/);
    const ahead = await refused(staging, second);
    expect(ahead).toMatch(/\[state_ahead\] 0003-create-again/);
    expect(ahead).toMatch(RUNBOOK);
  });

  it("takes the release that it names, and says so in the plan and in the version's message", async () => {
    allow(third.digest.slice(0, 12));
    expect(await refused(production, second)).toContain("[promotion_missed]");
    allow(second.digest.slice(0, 12));
    expect(await refused(production, third)).toContain("[needs_intermediate_release]");
    const up = await production.deploy(second);
    expect(up.ok, up.text).toBe(true);
    expect(up.text).toMatch(/\[missed_release_allowed\].*staging/);
    expect(await production.call("B")).toMatchObject({ count: 2, tag: "second" });
    const versions = await production.direct.call("get", `/workers/scripts/${production.workerName}/versions`);
    expect(JSON.stringify(versions)).toContain("not from staging, which is past it");
  });

  it("takes no other release of that step by its name: it has no more to catch up with it", async () => {
    const hotfix = upTo("hotfix", 2);
    allow(hotfix.digest.slice(0, 12));
    const text = await refused(production, hotfix);
    expect(text).toMatch(/\[promotion_missed\].*has no effect: this stack is at step 0002/);
    expect(text).not.toContain("set allowMissedRelease");
  });

  it("goes on as ever then, and the name has no more effect", async () => {
    allow(second.digest.slice(0, 12));
    const up = await production.deploy(third);
    expect(up.ok, up.text).toBe(true);
    expect(up.text).not.toContain("missed_release_allowed");
    expect(await production.call("B")).toMatchObject({ count: 3, tag: "third" });
    expect(await production.call("A")).toMatchObject({ count: 1 });
    const text = await refused(production, second);
    expect(text).toContain("[state_ahead]");
    expect(text).not.toContain("missed_release_allowed");
  });
});
