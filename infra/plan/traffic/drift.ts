/** What something else than this program did to a Worker's traffic and bindings: pure comparisons, all warnings. */
import { isDeepStrictEqual } from "node:util";
import { backToLine, listLine } from "../../stack/traffic-lines.ts";
import { isOurDeployment } from "../live/messages.ts";
import { isOurs } from "../live/ours.ts";
import type { Binding, KnownVersion, Observed, Serving } from "../live/version.ts";
import type { Finding } from "../rules/codes.ts";
import { canServe, type Servable } from "./pin.ts";
import { sharesOf } from "./words.ts";

interface Drifted extends Observed {
  /** What served when only versions of ours did, the stable one last. */
  readonly servedLast: readonly Serving[];
  readonly rollbackFloor: number | undefined;
}

/** Versions that serve and are not ours, and a deployment that moved the traffic of ours. */
export function trafficDrift(observed: Drifted, asWanted: boolean, stack: string): readonly Finding[] {
  const { serving, servedLast, versions, deployment } = observed;
  const live = serving.flatMap(({ versionId, percentage }) => {
    const version = versions.find((known) => known.versionId === versionId);
    return version ? [{ ...version, percentage }] : [];
  });
  // If no version is ours, the Worker never was; the planner reports that.
  const last = versions.find(isOurs);
  if (!last) return [];
  const foreign = live.filter((version) => !isOurs(version));
  if (foreign.length > 0) {
    const stable = versions.find(({ versionId }) => versionId === servedLast.at(-1)?.versionId);
    // An update that makes a version needs the admin token, which a terminal may not have; a pin does without.
    const back =
      stable && canServe(stable, observed)
        ? ` Without the admin token: \`${backToLine(stack, stable.number)}\`, which served before.`
        : "";
    return foreign.map((version) => ({
      code: "serving_version_not_ours",
      subject: `version ${version.number}`,
      message: `it has ${version.percentage} % of the traffic, and ${by(version.source)} made it, not this program; compared with version ${last.number}, ${changedBindings(last.bindings, version.bindings)}.${renamed(last, version)}`,
      fix: `\`up\` puts this stack's release back, with this stack's secrets.${back} Before that, put into the program or the settings what the other version was made for.`,
    }));
  }
  if (!deployment || asWanted || isOurDeployment(deployment.message)) return [];
  return [
    {
      code: "deployment_not_ours",
      subject: `deployment ${deployment.id}`,
      message: `${by(deployment.source)} made it, not this program: ${sharesOf(live)}.`,
      fix: `\`up\` sends the traffic where this stack's settings say${waysToStay(stack, live, observed)}. Without the admin token: \`${listLine(stack)}\`, and --to with one that can serve.`,
    },
  ];
}

/** How to leave the traffic with what serves. Without --to, a rollback would leave that for what served before it. */
function waysToStay(stack: string, live: readonly KnownVersion[], servable: Servable): string {
  const lines = live
    .filter((version) => canServe(version, servable))
    .map(({ number }) => `\`${backToLine(stack, number)}\``);
  if (lines.length === 0) return "";
  return live.length === 1
    ? `; to stay there: ${lines[0]}`
    : `; to leave all of it with one of them: ${lines.join(" or ")}`;
}

/** What to know where a version names objects by another region table than ours. */
function renamed(ours: KnownVersion, other: KnownVersion): string {
  const [before, now] = [ours, other].map(({ bindings }) => bindings.find(({ name }) => name === "REGIONS")?.json);
  if (now === undefined || before === now) return "";
  return " It has a region table of its own: objects made since have names that this stack does not ask for. They stay where they are; read out what is to be kept before `up`.";
}

const by = (source: string | undefined): string => source ?? "something else";

/** `bindings +NEW, -GONE, ~CHANGED`, or that they are the same. */
function changedBindings(before: readonly Binding[], after: readonly Binding[]): string {
  const names = [...new Set([...before, ...after].map(({ name }) => name))].sort();
  const changes = names.flatMap((name) => {
    const [old, now] = [before, after].map((bindings) => bindings.find((binding) => binding.name === name));
    if (!old) return [`+${name}`];
    if (!now) return [`-${name}`];
    return isDeepStrictEqual(old, now) ? [] : [`~${name}`];
  });
  return changes.length ? `its bindings are ${changes.join(", ")}` : "its bindings are the same";
}
