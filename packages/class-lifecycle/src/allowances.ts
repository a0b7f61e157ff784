/** What a stack's config allows and this release does not do: left there, it would confirm a loss that comes later. */
import type { Finding } from "./findings.ts";
import { everNamed } from "./history.ts";
import { leaves, type Move } from "./moves.ts";
import type { Situation } from "./situation.ts";

/** Warnings of entries that name a class of the history for nothing. Others are not about classes. */
export function allowanceFindings(moves: readonly Move[], situation: Situation): readonly Finding[] {
  const named = everNamed(situation.migrations);
  const leaving = moves.filter(leaves).map(({ className }) => className);
  const lost = moves.flatMap((move) => (move.kind === "create" && move.lost ? [move.lost.className] : []));
  const unused = (setting: "allowDestroy" | "allowTransferLoss", used: readonly string[], does: string): Finding[] =>
    [...new Set(situation[setting])]
      .filter((className) => named.has(className) && !used.includes(className))
      .map((className) => ({
        code: "allowance_unused",
        subject: className,
        message: `${setting} names it, but this release ${does}.`,
        fix: `take it out of ${setting} in this stack's config: left there, it would allow the next loss unasked.`,
      }));
  return [
    ...unused("allowDestroy", leaving, "does not delete it or hand it to another Worker"),
    ...unused("allowTransferLoss", lost, "does not begin it without objects that are lost"),
  ];
}
