/** Whether a promotion changes what a rehearsal shows: pure. */
import type { Preview } from "../plan/preview/preview.ts";
import { canonical } from "../release/canonical.ts";

/** Whether classes or tables change between the version that serves and the release. The order of neither is a change. */
export const changesData = (
  { plan, release }: Pick<Preview, "plan" | "release">,
  serving: Pick<Preview["live"]["versions"][number], "schemas">,
): boolean => plan.changesLifecycle || canonical(serving.schemas ?? null) !== canonical(release.schemas ?? null);
