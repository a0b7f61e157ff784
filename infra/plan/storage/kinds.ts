/** The kinds of storage: how each is called and found in an account, and how a binding leads to it. */
import { STORAGE_KINDS, type StorageKind } from "../../stack/extras.ts";
import type { BindingRead, Reads } from "../account/reads.ts";
import type { LiveVersion } from "../live/version.ts";

/** A kind of storage: its resource, which of its properties is its name, and how a binding says which it leads to. */
export const KINDS = {
  kv: {
    type: "WorkersKvNamespace",
    what: "KV namespace",
    nameIs: "title",
    bindingType: "kv_namespace",
    idOf: ({ namespaceId }: BindingRead) => namespaceId,
  },
  r2: {
    type: "R2Bucket",
    what: "bucket",
    nameIs: "name",
    bindingType: "r2_bucket",
    idOf: ({ bucketName }: BindingRead) => bucketName,
  },
  d1: {
    type: "D1Database",
    what: "D1 database",
    nameIs: "name",
    bindingType: "d1",
    idOf: ({ id, databaseId }: BindingRead) => id ?? databaseId,
  },
} as const;

/** Which storage of this kind a binding leads to; undefined: none, or there is no such binding. */
export const boundId = (kind: StorageKind, binding: BindingRead | undefined): string | undefined =>
  binding?.type === KINDS[kind].bindingType ? KINDS[kind].idOf(binding) : undefined;

/** What a binding leads to: the kind of storage, and which; undefined: to none. */
export function targetOf(binding: BindingRead): { readonly kind: StorageKind; readonly id: string } | undefined {
  for (const kind of STORAGE_KINDS) {
    const id = boundId(kind, binding);
    if (id !== undefined) return { kind, id };
  }
  return undefined;
}

/** The newest version's binding of a name. */
export const bindingOf = (versions: readonly LiveVersion[], name: string) =>
  versions.flatMap(({ bindings }) => bindings).find((binding) => binding.name === name);

/** A kind of storage, and of a bucket where it must stay. */
interface Where {
  readonly kind: StorageKind;
  readonly jurisdiction?: string | undefined;
}

/** What the account has of a kind; undefined where it cannot be asked. Of buckets, which have no ids, those of the names. */
export async function thereOf({ kind, jurisdiction }: Where, reads: Reads, names: readonly (string | undefined)[]) {
  if (kind === "kv") return (await reads.kvNamespaces())?.map(({ id, title: name }) => ({ id, name }));
  if (kind === "d1") return reads.databases();
  const asked = names.filter((name) => name !== undefined);
  const found = await Promise.all(
    asked.map(async (name) => ((await reads.bucketExists(name, jurisdiction)) ? [name] : [])),
  );
  return found.flat().map((name) => ({ id: name, name }));
}

/** Whether the account does not have what the state has; false where it cannot be asked. */
export const isGone = async ({ kind, jurisdiction }: Where, reads: Reads, id: string): Promise<boolean> => {
  if (kind === "r2") return (await reads.bucketExists(id, jurisdiction)) === false;
  return (await thereOf({ kind }, reads, []))?.every((one) => one.id !== id) ?? false;
};

export const isEmpty = ({ kind, jurisdiction }: Where, reads: Reads, id: string): Promise<boolean | undefined> => {
  if (kind === "kv") return reads.kvIsEmpty(id);
  return kind === "d1" ? reads.databaseIsEmpty(id) : reads.bucketIsEmpty(id, jurisdiction);
};
