/**
 * Runs the objects of a Worker whose traffic is split between two versions. Both bundles are in this isolate. An
 * object's id decides its version, for as long as the split lasts.
 *
 * projection.ts puts `SPLIT` and the imports in front of this text.
 */
import { DurableObject } from "cloudflare:workers";

/** The object's point between 0 and 100. Ids are hashes, so the points are evenly spread. */
const pointOf = (id) => (Number.parseInt(id.toString().slice(0, 8), 16) / 2 ** 32) * 100;

/** The newest version comes first, and has the low points (traffic.ts, `versionAt`). */
function sideOf(id) {
  const point = pointOf(id);
  let end = 0;
  for (const side of SPLIT) {
    end += side.percentage;
    if (point < end) return side;
  }
  return SPLIT[SPLIT.length - 1];
}

/** The bindings of one version, under its own names. The newest has no prefix; what has another's is not its own. */
function bindingsOf(env, { prefix }) {
  if (prefix === "") {
    const others = SPLIT.flatMap((side) => side.prefix || []);
    return Object.fromEntries(Object.entries(env).filter(([name]) => !others.some((other) => name.startsWith(other))));
  }
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
      // biome-ignore lint/correctness/noConstructorReturn: the object must be of the version's class, not of this one.
      return new side.bundle[className](ctx, bindingsOf(env, side));
    }
  };
