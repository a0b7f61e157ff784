/** What becomes of storage whose binding is not in wrangler.jsonc any more: pure. */
import type { Finding } from "@durable-stack/class-lifecycle";
import { fileOf, type Placed, type PublicSettings } from "../stack/config.ts";

interface Left {
  readonly what: string;
  readonly binding: string;
  /** Its name in the account. */
  readonly name: string;
}

/**
 * In a stack with `protect` it stays in the account, with what is in it (infra/storage.ts). Else it would be deleted,
 * which only `allowDestroy` lets happen.
 */
export function storageLeft(
  { protect, allowDestroy, ...placed }: Placed & Pick<PublicSettings, "protect" | "allowDestroy">,
  left: readonly Left[],
): readonly Finding[] {
  return left.flatMap(({ what, binding, name }): Finding[] => {
    if (protect) {
      return [
        {
          code: "storage_left_behind",
          subject: binding,
          message: `the ${what} ${name} goes out of the state: no binding ${binding} asks for it. It stays in the account, with what is in it.`,
          fix: `to have it again, put the binding back: it is found by its name. Delete it by hand when nobody needs it.`,
        },
      ];
    }
    if (allowDestroy.includes(binding)) return [];
    return [
      {
        code: "storage_would_go",
        subject: binding,
        message: `the ${what} ${name} would be deleted with all that is in it: no binding ${binding} asks for it any more, and the stack has protect: false.`,
        fix: `put the binding back into wrangler.jsonc; or, to keep the data without it, set protect: true in ${fileOf(placed, "protect")} and run \`up\` once with the binding before it goes. Only when the data is needed nowhere: allowDestroy: [${binding}].`,
      },
    ];
  });
}
