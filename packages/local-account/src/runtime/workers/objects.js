/**
 * Runs the objects of a Worker whose traffic is split between two versions: both bundles are in this isolate, and each
 * object is of the version that its id falls to, for as long as the split lasts.
 *
 * `SPLIT` and the imports are put in front of this text: see projection.ts.
 */
import { DurableObject } from "cloudflare:workers";

/** The object's own share of the way from 0 to 100: ids are hashes, so their first digits are evenly spread. */
const pointOf = (id) => (Number.parseInt(id.toString().slice(0, 8), 16) / 2 ** 32) * 100;

/** The newest version comes first and has the low points (traffic.ts, `versionAt`). */
function sideOf(id) {
  const point = pointOf(id);
  let end = 0;
  for (const side of SPLIT) {
    end += side.percentage;
    if (point < end) return side;
  }
  return SPLIT[SPLIT.length - 1];
}

/** The bindings of one version, under the names that it gave them. */
function bindingsOf(env, { prefix }) {
  if (prefix === "") return env;
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

export const objectClass = (className) =>
  class extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      const side = sideOf(ctx.id);
      // biome-ignore lint/correctness/noConstructorReturn: the object is one of the version's class, not of this one.
      return new side.bundle[className](ctx, bindingsOf(env, side));
    }
  };
