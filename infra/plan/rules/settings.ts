/** What stands against a stack's settings: what the release has no place for, and mistakes that a way back does without. Pure. */
import { NO_EXTRAS } from "../../release/extras.ts";
import type { Manifest } from "../../release/manifest.ts";
import type { PublicSettings } from "../../stack/config.ts";
import { bindable, isMadeByHand, storageOf } from "../../stack/extras.ts";
import { fileOf, type Placed } from "../../stack/placed.ts";
import type { Wrong } from "../../stack/way-back.ts";
import type { Finding } from "./codes.ts";

type Own = Pick<PublicSettings, "vars" | "bind" | "regions"> & Placed;

/** What a stack sets that the release has no place for. */
export function overrideFindings(
  release: Pick<Manifest, "extras">,
  { vars, bind, regions, ...placed }: Own,
): readonly Finding[] {
  const { vars: known } = release.extras ?? NO_EXTRAS;
  const unknown = (key: string, name: string, names: readonly string[]): Finding => ({
    code: "setting_without_place",
    subject: `${key}.${name}`,
    message: `wrangler.jsonc, as it was when the release was built, has no such ${key === "vars" ? "variable" : "binding"}${names.length ? `; it has ${names.join(", ")}` : ""}.`,
    fix: `correct its name in ${fileOf(placed, key)}, or remove it; or add it to wrangler.jsonc and build again.`,
  });
  const names = bindable(release, { regions });
  return [
    ...Object.keys(vars)
      .filter((name) => !Object.hasOwn(known, name))
      .map((name) => unknown("vars", name, Object.keys(known))),
    ...Object.keys(bind)
      .filter((name) => !names.includes(name))
      .map((name) => unknown("bind", name, names)),
    ...storageOf(release, { bind, regions })
      .filter(({ jurisdiction }) => isMadeByHand(jurisdiction))
      .map(({ binding, jurisdiction }) => ({
        code: "jurisdiction_without_bucket" as const,
        subject: String(jurisdiction),
        message:
          "the provider makes no bucket in this jurisdiction, and the files of its regions may lie nowhere else.",
        fix: `make the bucket by hand, and lead to it in ${fileOf(placed, "bind")}: bind: { ${binding}: <the bucket's name> }.`,
      })),
  ];
}

/** What stands against a release that would get traffic all the same, such as a stack's first. */
export const wrongFindings = (wrong: readonly Wrong[]): readonly Finding[] =>
  wrong.map(({ keys, subject = keys.join(", "), message, fix }) => ({ code: "setting_wrong", subject, message, fix }));
