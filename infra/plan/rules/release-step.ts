/** A release goes out only with the history that it was built from. Pure. */
import { hashes, type Migration } from "@durable-stack/class-lifecycle";
import type { Manifest } from "../../release/manifest.ts";
import type { PublicSettings } from "../../stack/config.ts";
import type { Finding } from "./codes.ts";

/** What stands against a release at another step than the last of `migrations`, or of another history. */
export function stepFindings(
  { release: folder }: Pick<PublicSettings, "release">,
  { migration }: Pick<Manifest, "migration">,
  migrations: readonly Migration[],
): readonly Finding[] {
  const last = migrations.at(-1)?.name ?? "";
  if (migration.step === last && migration.history === hashes(migrations).at(-1)) return [];
  return [
    {
      code: "release_step_mismatch",
      subject: folder,
      message:
        migration.step === last
          ? `the release was built at step ${last} of another history than infra/migrations.ts has now.`
          : `the release was built at step ${migration.step}, but infra/migrations.ts ends at ${last}.`,
      fix: "build it again (`npm run build`), or check out the commit that it was built from.",
    },
  ];
}
