/** The outcome of a rehearsal as a person reads it, and as a program does. */

import { table } from "../common/table.ts";
import { shortDigest } from "../release/manifest.ts";
import { describeSource } from "../release/source.ts";
import type { Back } from "./back.ts";
import type { ClassOutcome, Fate } from "./classes.ts";
import type { Rehearsal } from "./rehearse.ts";
import type { Side } from "./side.ts";

/** Objects of one class that are named when they are lost; the rest is a number. */
const NAMED = 5;

export function asText(from: Side, to: Side, stack: string, rehearsal: Rehearsal): string {
  const { plan, classes, unfilled, unfilledRegions, storageGoing, notAllowed, back, ok } = rehearsal;
  const rows = [
    ["class", "objects", "before", "after", ""],
    ...classes.map((outcome) => {
      const { className, objects, before, after } = outcome;
      return [className, String(objects), short(before), short(after), verdict(outcome)];
    }),
  ];
  const lines = [
    "Rehearsed in a throw-away local account, with the settings of the stack ".concat(stack),
    `  from  ${described(from)}`,
    `  to    ${described(to)}`,
    ...(from.release.digest === to.release.digest
      ? ["  Both are the same release: this says how it stands a deployment, and nothing of a change."]
      : []),
    "",
    ...plan,
    "",
    table(rows),
    ...classes.filter(({ ok }) => !ok).flatMap(losses),
    "",
    ...visitors(from, to, rehearsal),
    ...unfilled.map((name) => `${name} was not filled: no test/<pattern>/rehearsal.ts is for its binding.`),
    ...unfilledRegions.map((id) => `Region ${id} was not filled: give --objects at least the number of regions.`),
    ...storageGoing.map(
      (name) =>
        `The storage of the binding ${name} is deleted with all that is in it; Cloudflare wants a bucket to be empty before. To keep the data, set protect: true for one \`up\` before the binding goes.`,
    ),
    ...(notAllowed.length > 0
      ? [`The stack ${stack} does not allow it yet: it takes allowDestroy: [${notAllowed.join(", ")}] in its config.`]
      : []),
    ...wayBack(from, back),
    "",
    conclusion(ok, back),
  ];
  return lines.join("\n");
}

export function asJson(from: Side, to: Side, stack: string, rehearsal: Rehearsal): string {
  const side = ({ name, release: { digest, migration, commit } }: Side) => ({
    name,
    digest,
    step: migration.step,
    commit,
  });
  return JSON.stringify({ from: side(from), to: side(to), stack, ...rehearsal }, null, 2);
}

function described({ name, release }: Side): string {
  return `${name}: ${shortDigest(release.digest)}, step ${release.migration.step}, ${describeSource(release)}`;
}

const short = (hash: string | undefined): string => (hash === undefined ? "-" : shortDigest(hash));

function verdict({ fate, objects, kept, lost, ok }: ClassOutcome): string {
  if (!ok) return `LOST: ${lost.filter(({ givenUp }) => !givenUp).length} of ${objects}`;
  const alive = fate.kind === "kept" || fate.kind === "renamed";
  const without = alive && kept < objects ? `, without ${objects - kept} in regions that are given up` : "";
  return `${FATES[fate.kind](fate)}${without}`;
}

const FATES: { readonly [K in Fate["kind"]]: (fate: Fate) => string } = {
  kept: () => "kept",
  renamed: (fate) => `kept${fate.kind === "renamed" ? ` as ${fate.to}` : ""}`,
  deleted: () => "deleted, as the plan says",
  sent: (fate) => `handed${fate.kind === "sent" ? ` to ${fate.toWorker}` : ""}, as the plan says`,
};

function losses({ className, lost }: ClassOutcome): readonly string[] {
  const unnamed = lost.filter(({ givenUp }) => !givenUp);
  const more = unnamed.length - NAMED;
  return [
    ...unnamed.slice(0, NAMED).map(({ id, reason }) => `  ${className} ${id}: ${reason}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function wayBack({ name }: Side, back: Back): readonly string[] {
  if (back.kind === "not-tried") return [`back to ${name}: not tried, because ${back.because}`];
  const { objects, faults } = back;
  if (faults.length === 0)
    return [`back to ${name}: it reads and writes all ${objects} objects, the newer release's too`];
  const more = faults.length - NAMED;
  return [
    `back to ${name}: it cannot work with ${faults.length} of ${objects} objects`,
    ...faults.slice(0, NAMED).map(({ className, id, reason }) => `  ${className} ${id}: ${reason}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function conclusion(ok: boolean, back: Back): string {
  if (ok) return "Nothing was lost that the plan did not name.";
  return back.kind === "tried"
    ? "FAILED: there is no way back. Let the step add only, or say breaking(…) in the pattern's schema.ts: then the plan raises the rollback floor."
    : "FAILED: something was lost that the plan did not name.";
}

function visitors(from: Side, to: Side, { asked, sockets, deployMs, changed }: Rehearsal): readonly string[] {
  const { requests, failed, firstAnswerMs } = asked;
  const answer =
    from.release.digest === to.release.digest
      ? ""
      : firstAnswerMs === undefined
        ? "; the newer release never answered"
        : `; first answer of the newer release ${firstAnswerMs} ms after the last of the older`;
  return [
    `deployed in ${(deployMs / 1_000).toFixed(1)} s, ${changed.length === 0 ? "nothing" : changed.length} changed; ${failed} of ${requests} requests failed meanwhile${answer}`,
    ...Object.entries(sockets).map(
      ([className, { open, dropped, reconnected, slowestMs }]) =>
        `WebSockets of ${className}: ${open} open, ${dropped} dropped, ${reconnected} reconnected${
          reconnected > 0 ? `, the slowest after ${slowestMs} ms` : ""
        }`,
    ),
  ];
}
