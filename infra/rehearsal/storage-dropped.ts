/** Storage of the older release that the newer one asks for no more: pure, but for the stack's files. */
import { storageOf } from "../stack/extras.ts";
import { bindingIn, protectedIn } from "./own-config.ts";
import type { Side } from "./side.ts";
import { type Bound, boundHere } from "./stand-ins.ts";

interface StorageDropped {
  /** Bindings whose storage goes in the rehearsal, where storage of its own stands in for what `bind` leads to. */
  readonly here: readonly string[];
  /** Bindings whose storage the stack itself would delete, with all that is in it. */
  readonly inStack: readonly string[];
}

/** Nothing goes where the stack kept it under the settings of the older release: the rehearsal does then, too. */
export function storageDropped(from: Side, to: Side, stack: string): StorageDropped {
  const [before, after] = [bindingIn(from, stack), bindingIn(to, stack)];
  if (protectedIn(from, stack)) return { here: [], inStack: [] };
  return {
    here: gone({ ...before, bind: boundHere(before) }, { ...after, bind: boundHere(after) }),
    inStack: gone(before, after),
  };
}

/** Bindings that have storage of their own before, and none of that kind after. */
function gone(before: Bound, after: Bound): readonly string[] {
  const left = storageOf(after.release, after).map(({ kind, binding }) => `${kind} ${binding}`);
  return storageOf(before.release, before).flatMap(({ kind, binding }) =>
    left.includes(`${kind} ${binding}`) ? [] : binding,
  );
}

/** Why no way back is tried, in words: Cloudflare deploys no version that is bound to what is gone. */
export const storageGone = ({ name }: Side, { here }: StorageDropped): string | undefined =>
  here.length === 0 ? undefined : `${name} is bound to storage that goes: ${here.join(", ")}`;
