/** The stack as the Worker sees it: its settings, its regions and the release, from the bindings (contract/). */
import * as v from "valibot";
import { Bindings } from "../contract/bindings.ts";
import type { Regions } from "../contract/regions.ts";
import type { Release } from "../contract/release.ts";
import type { Settings } from "../contract/settings.ts";

export interface Stack {
  settings: Settings;
  regions: Regions;
  release: Release;
}

const stacks = new WeakMap<object, Stack>();

/** The stack of this environment, parsed once. @throws Error naming every bad setting. */
export function stackOf(env: object): Stack {
  const known = stacks.get(env);
  if (known) return known;
  const parsed = v.safeParse(Bindings, env);
  if (!parsed.success) {
    const wrong = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? "bindings"}: ${issue.message}`);
    throw new Error(`The Worker's bindings are wrong; correct the stack's config. ${wrong.join("; ")}`);
  }
  const { SETTINGS: settings, REGIONS: regions, RELEASE: release } = parsed.output;
  const stack = { settings, regions, release };
  stacks.set(env, stack);
  return stack;
}
