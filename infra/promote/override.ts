/** What a person may override of a promotion, and the record of it: pure. */
import { type Manifest, shortDigest } from "../release/manifest.ts";

/** What a person may override by its name. That another digest is served is no such rule: it would be another release. */
export const RULES = ["smoke", "soak"] as const;
export type Rule = (typeof RULES)[number];
export type Overrides = ReadonlyMap<Rule, string>;

/** What the stack's setting `promotionOverride` and the version's message say: `1f3a2b4c5d6e soak: hotfix 123`. */
export const overrideRecord = ({ digest }: Pick<Manifest, "digest">, overridden: readonly string[]): string =>
  `${shortDigest(digest)} ${overridden.join("; ")}`;

/** What a version's message says of an override, where the setting is about this release. */
export function overrideNote(record: string | undefined, digest: string): string {
  const overridden = overridesIn(record, digest);
  return overridden === undefined ? "" : `; promoted over ${overridden}`;
}

/** What a record says was overridden; undefined if it is about another release. */
function overridesIn(record: string | undefined, digest: string): string | undefined {
  const begin = `${shortDigest(digest)} `;
  return record?.startsWith(begin) ? record.slice(begin.length) : undefined;
}

/** Whether such a record is about this release, and overrides the rule. */
export const isOverridden = (record: string | undefined, digest: string, rule: Rule): boolean =>
  overridesIn(record, digest)
    ?.split("; ")
    .some((part) => part.startsWith(`${rule}: `)) ?? false;
