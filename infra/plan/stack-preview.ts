/** What the next deployment to a stack will do, for a command, which opens the stack itself. */
import { join } from "node:path";
import { readIfThere } from "../common/named-file.ts";
import { promotionOf } from "../promote/command-guard.ts";
import { lockFindings, ownMigrations } from "../release/own-migrations.ts";
import type { Release } from "../release/read.ts";
import { ROOT } from "../release/root.ts";
import type { OpenStack, StackOptions } from "../stack/open.ts";
import { addsNothing } from "../stack/program-bindings.ts";
import { type Preview, previewOf } from "./preview/preview.ts";

/** What the next `up` of a stack will do, as `previewOf` says, with the promotion guard asked of the live account. */
export async function previewStack(stack: OpenStack, release: Release, options: StackOptions): Promise<Preview> {
  const { settings, reads, known } = stack;
  const migrations = ownMigrations();
  const promotion = await promotionOf(settings, release, options);
  const mayAdd = !addsNothing(readIfThere(join(options.root ?? ROOT, "infra/index.ts")) ?? "");
  return previewOf({ reads, settings, release, migrations, lock: lockFindings(), promotion, known, mayAdd });
}

/** The same without its guards: neither the lock file nor the stack that the release comes from is asked. */
export const previewUnguarded = (
  { settings, reads, known }: Pick<OpenStack, "settings" | "reads" | "known">,
  release: Release,
): Promise<Preview> => previewOf({ reads, settings, release, migrations: ownMigrations(), promotion: [], known });
