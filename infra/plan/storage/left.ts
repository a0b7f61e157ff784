/** What becomes of storage whose binding is not in wrangler.jsonc any more: pure. */
import type { PublicSettings } from "../../stack/config.ts";
import { fileOf, type Placed } from "../../stack/placed.ts";
import { mayLoseData } from "../../stack/pull-stack.ts";
import type { Finding } from "../rules/codes.ts";

/** Storage that no binding asks for any more. */
export interface Left {
  readonly what: string;
  readonly binding: string;
  /** Its name in the account. */
  readonly name: string;
  /** Whether the last update has left it so that it stays. */
  readonly stays: boolean;
  /** Number of the version that keeps traffic and is bound to it; undefined: none. */
  readonly usedBy: number | undefined;
}

type Settings = Placed & Pick<PublicSettings, "protect" | "allowDestroy">;

/**
 * Where the stack had `protect` in the last update, it stays in the account, with what is in it (infra/storage.ts), whatever
 * the settings say now. Else it would be deleted, which only `allowDestroy` lets happen, but for a pull request's stack.
 */
export const isDeleted = (settings: Settings, { binding, stays }: Left): boolean =>
  !stays && (settings.allowDestroy.includes(binding) || mayLoseData(settings.stack));

/** What stands against the deletion of buckets in which something is: it would fail once the release serves. */
export const filledBuckets = (settings: Placed, filled: readonly Left[]): readonly Finding[] =>
  filled.map(({ what, binding, name }) => ({
    code: "storage_would_go",
    subject: binding,
    message: `the ${what} ${name} would be deleted and something is in it: Cloudflare deletes no such bucket.`,
    fix: `copy out what is to be kept and empty it, or put the binding back into wrangler.jsonc. Where the version that serves goes on writing to it: set protect: true in ${fileOf(settings, "protect")} and run \`up\` once with the binding; then it stays in the account, and you delete it by hand.`,
  }));

/** What is lost then. */
export const lossOf = ({ what }: Pick<Left, "what">): string =>
  what === "bucket" ? "deleted, which Cloudflare refuses while something is in it" : "deleted with all that is in it";

/** What is told of each: of what a pull request's stack may lose, only that a version needs it still. */
export function storageLeft(settings: Settings, left: readonly Left[]): readonly Finding[] {
  const { protect, stack } = settings;
  const told = left.filter((one) => one.usedBy !== undefined || !(isDeleted(settings, one) && mayLoseData(stack)));
  return told.map((one): Finding => {
    const { what, binding, name, stays, usedBy } = one;
    if (stays) {
      return {
        code: "storage_left_behind",
        subject: binding,
        message: `the ${what} ${name} goes out of the state: no binding ${binding} asks for it. It stays in the account, with what is in it.`,
        fix: `to have it again, put the binding back: it is found by its name. Delete it by hand when nobody needs it.`,
      };
    }
    if (!isDeleted(settings, one)) {
      return {
        code: "storage_would_go",
        subject: binding,
        message: `the ${what} ${name} would be ${lossOf(one)}: no binding ${binding} asks for it any more, and the stack ${protect ? "had protect: false in its last update, which decides it" : "has protect: false"}.`,
        fix: `put the binding back into wrangler.jsonc; or, to keep the data without it, ${protect ? "" : `set protect: true in ${fileOf(settings, "protect")} and `}run \`up\` once with the binding before it goes. Only when the data is needed nowhere: add ${binding} to allowDestroy in ${fileOf(settings, "allowDestroy")}.`,
      };
    }
    if (usedBy !== undefined) {
      return {
        code: "storage_would_go",
        subject: binding,
        message: `the ${what} ${name} would be deleted while version ${usedBy}, which keeps traffic, is bound to it.`,
        fix: `put the binding back into wrangler.jsonc until a release has all traffic (a rollout that is finished, no pin); or give this one all of it at once: rollout: 100 in ${fileOf(settings, "rollout")}.`,
      };
    }
    return {
      code: "storage_goes",
      subject: binding,
      message: `the ${what} ${name} is ${lossOf(one)}: no binding ${binding} asks for it any more, and allowDestroy names it.`,
      fix: `nothing, if it is meant; else put the binding back into wrangler.jsonc, or take it out of allowDestroy in ${fileOf(settings, "allowDestroy")}.`,
    };
  });
}

/**
 * Entries of `allowDestroy` that this release deletes no storage for. `others`: names that may be there for something
 * else, as those of classes.
 */
export function unusedAllowances(
  settings: Settings,
  left: readonly Left[],
  others: ReadonlySet<string>,
): readonly Finding[] {
  const used = new Set(left.filter((one) => isDeleted(settings, one)).map(({ binding }) => binding));
  return [...new Set(settings.allowDestroy)]
    .filter((name) => !used.has(name) && !others.has(name))
    .map((name) => ({
      code: "allowance_unused",
      subject: name,
      message: "allowDestroy names it, but this release does not delete it.",
      fix: `take it out of allowDestroy in ${fileOf(settings, "allowDestroy")}: left there, it would allow the next loss unasked.`,
    }));
}
