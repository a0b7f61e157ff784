/**
 * SQL schemas that objects have from before their classes changed: pure. A class may have got its name anew since, so a
 * name says nothing. Its namespace does, which a class keeps under every name and which no other class ever has.
 */
import type { Schemas } from "../../../contract/release.ts";

/** A version by what it is bound to. */
export interface Bound {
  readonly bindings: readonly {
    readonly type?: string | undefined;
    readonly className?: string | undefined;
    readonly namespaceId?: string | undefined;
  }[];
}

/** A version of ours by what counts here. */
interface Version extends Bound {
  readonly schemas: Schemas | undefined;
}

/**
 * `versions` with the schemas of the classes that are there `now`, by their names there. Classes that were deleted or sent
 * away are left out, and so are those without a binding, whose namespace nobody can tell.
 */
export function withNamesOf<One extends Version>(now: readonly Version[], versions: readonly One[]): readonly One[] {
  const names = new Map(now.flatMap(namespacesOf).map(([className, id]) => [id, className]));
  return versions.map((version) => {
    const ids = new Map(namespacesOf(version));
    const schemas = Object.entries(version.schemas ?? {}).flatMap(([className, schema]) => {
      const name = names.get(ids.get(className) ?? "");
      return name === undefined ? [] : [[name, schema] as const];
    });
    return { ...version, schemas: Object.fromEntries(schemas) };
  });
}

/** The namespaces that a version is bound to, by class. */
export const namespacesOf = ({ bindings }: Bound): readonly (readonly [className: string, id: string])[] =>
  bindings.flatMap(({ type, className, namespaceId }) =>
    type === "durable_object_namespace" && className !== undefined && namespaceId !== undefined
      ? [[className, namespaceId] as const]
      : [],
  );
