/** What becomes of storage whose binding is not in wrangler.jsonc any more: pure. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { mayLoseData } from "../pull-request/stack-name.ts";
import type { PublicSettings } from "../stack/config.ts";
import { fileOf, type Placed } from "../stack/placed.ts";

interface Left {
  readonly what: string;
  readonly binding: string;
  /** Its name in the account. */
  readonly name: string;
  /** Whether the last update has left it so that it stays. */
  readonly stays: boolean;
  /** Number of the version that keeps traffic and is bound to it; undefined: none. */
  readonly usedBy: number | undefined;
}

/**
 * Where the stack had `protect` in the last update, too, it stays in the account, with what is in it (infra/storage.ts).
 * Else it would be deleted, which only `allowDestroy` lets happen, but for a pull request's stack.
 */
export function storageLeft(
  { protect, allowDestroy, ...placed }: Placed & Pick<PublicSettings, "protect" | "allowDestroy">,
  left: readonly Left[],
): readonly Finding[] {
  const mayGo = (binding: string) => allowDestroy.includes(binding) || mayLoseData(placed.stack);
  return left.flatMap(({ what, binding, name, stays, usedBy }): Finding[] => {
    if (protect && stays) {
      return [
        {
          code: "storage_left_behind",
          subject: binding,
          message: `the ${what} ${name} goes out of the state: no binding ${binding} asks for it. It stays in the account, with what is in it.`,
          fix: `to have it again, put the binding back: it is found by its name. Delete it by hand when nobody needs it.`,
        },
      ];
    }
    if (usedBy !== undefined && mayGo(binding)) {
      return [
        {
          code: "storage_would_go",
          subject: binding,
          message: `the ${what} ${name} would be deleted while version ${usedBy}, which keeps traffic, is bound to it.`,
          fix: `put the binding back into wrangler.jsonc until a release has all traffic (a rollout that is finished, no pin); or give this one all of it at once: rollout: 100 in ${fileOf(placed, "rollout")}.`,
        },
      ];
    }
    if (mayGo(binding)) return [];
    return [
      {
        code: "storage_would_go",
        subject: binding,
        message: `the ${what} ${name} would be deleted with all that is in it: no binding ${binding} asks for it any more, and the stack ${protect ? "had protect: false in its last update, which decides it" : "has protect: false"}.`,
        fix: `put the binding back into wrangler.jsonc; or, to keep the data without it, ${protect ? "" : `set protect: true in ${fileOf(placed, "protect")} and `}run \`up\` once with the binding before it goes. Only when the data is needed nowhere: allowDestroy: [${binding}].`,
      },
    ];
  });
}
