/** How each stack stands to the history and to the release that was built: rows of `npm run migrations -- status`. */
import type { Migration, State } from "@durable-stack/class-lifecycle";
import { hashes, replay } from "@durable-stack/class-lifecycle";
import { table } from "../common/table.ts";
import { FORMAT, shortDigest } from "../release/manifest.ts";
import type { Release } from "../release/read.ts";
import type { OpenStack, StackOptions } from "../stack/open.ts";
import type { Preview } from "./preview/preview.ts";
import { changeLine } from "./report.ts";
import { previewStack } from "./stack-preview.ts";
import { servesAsWanted } from "./traffic/split.ts";
import { trafficAfter } from "./traffic/words.ts";

export interface StackStatus {
  readonly stack: string;
  readonly worker: string;
  readonly state: State;
  /** The step that is live, or that a Worker to be adopted stands at. */
  readonly step: string | undefined;
  /** Steps of the history that are not live yet; undefined where the live step is not in it. */
  readonly behind: number | undefined;
  /** Digest of the release that serves. */
  readonly release: string | undefined;
  /** Digest of the release that this program deployed last, whatever something else has sent the traffic to since. */
  readonly deployed: string | undefined;
  /** Versions that serve, by number, with their share in per cent. */
  readonly serving: readonly { readonly version: number; readonly percentage: number }[];
  readonly rollbackFloor: number | undefined;
  /** What deploying the built release would do. */
  readonly promoting: string;
}

/** How a stack stands, as far as that can be told with the release of its settings; `built`: that, or why there is none. */
export async function statusOf(
  stack: OpenStack,
  built: Release | Error,
  migrations: readonly Migration[],
  options: StackOptions,
): Promise<StackStatus> {
  const release = built instanceof Error ? unbuilt(migrations) : built;
  const preview = await previewStack(stack, release, options);
  const { live, plan } = preview;
  const at = plan.state === "fresh" ? 0 : migrations.findIndex(({ name }) => name === plan.from) + 1 || undefined;
  return {
    stack: stack.name,
    worker: stack.settings.workerName,
    state: plan.state,
    step: plan.from,
    behind: at === undefined ? undefined : migrations.length - at,
    release: live.digest,
    deployed: live.deployed,
    serving: live.serving.map(({ number, percentage }) => ({ version: number, percentage })),
    rollbackFloor: live.rollbackFloor,
    promoting: built instanceof Error ? "no release is built" : summary(preview),
  };
}

/** `deploys release 0f1e2d3c4b5a 100 %: ~ A -> B, …; + C (sqlite)`, or why not. */
function summary(preview: Preview): string {
  const { plan, live, traffic, errors, tag, uploads } = preview;
  if (errors.length) return `refused: ${[...new Set(errors.map(({ code }) => code))].join(", ")}`;
  const uploaded = !uploads || live.versions.some((version) => version.tag === tag);
  if (!plan.changesLifecycle && uploaded && servesAsWanted(live.serving, tag, traffic)) return "nothing";
  const changes = plan.moves.map((move) => changeLine(move)?.[1]).filter((text) => text !== undefined);
  return `deploys ${trafficAfter(preview).join(", ")}: ${changes.join("; ") || "no class changes"}`;
}

/** The release that the history asks for, where none is built: enough to tell how a stack stands. */
const unbuilt = (migrations: readonly Migration[]): Release => ({
  format: FORMAT,
  dir: "",
  digest: "",
  modules: [],
  classes: [...replay(migrations).keys()],
  bindings: [],
  compatibilityDate: "",
  compatibilityFlags: [],
  migration: { step: migrations.at(-1)?.name ?? "", history: hashes(migrations).at(-1) ?? "" },
  commit: null,
  committed: null,
});

/** The rows as a person reads them. */
export function statusTable(rows: readonly StackStatus[]): string {
  const cells = rows.map((row) => [
    row.stack,
    row.state,
    row.step ?? "-",
    row.behind === undefined ? "?" : String(row.behind),
    row.release === undefined ? "-" : shortDigest(row.release),
    row.serving.map(({ version, percentage }) => `v${version} ${percentage} %`).join(", ") || "-",
    row.rollbackFloor === undefined ? "-" : `v${row.rollbackFloor}`,
    row.promoting,
  ]);
  return table([
    ["stack", "state", "step", "behind", "release", "serves", "floor", "promoting the built release"],
    ...cells,
  ]);
}
