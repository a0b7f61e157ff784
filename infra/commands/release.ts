/** `npm run release -- verify`: whether a release is whole and the one that is expected, without building it. */
import { relative, resolve } from "node:path";
import { Command } from "commander";
import { kib, shortDigest, sizeOf } from "../release/manifest.ts";
import { type Release, readRelease } from "../release/read.ts";
import { RELEASE_DIR, ROOT } from "../release/root.ts";
import { Refused, runCommand } from "./command.ts";

const program = new Command("npm run release --").showHelpAfterError();

program
  .command("verify")
  .argument("[folder]", "the release's folder, seen from the project", relative(ROOT, RELEASE_DIR))
  .option("--digest <sha256>", "the digest that it must have")
  .description("check that every module is the one of the manifest, and the manifest the one of its digest")
  .action((folder: string, { digest }: { digest?: string }) => {
    const release = readRelease(resolve(ROOT, folder));
    if (digest !== undefined && digest !== release.digest) {
      throw new Refused(
        `The release in ${folder} is another: its digest is ${release.digest}, and ${digest} was expected.`,
      );
    }
    const { migration, modules } = release;
    const size = `${kib(sizeOf(release))} in ${modules.length} ${modules.length === 1 ? "module" : "modules"}`;
    console.log(
      `${folder} is whole: ${shortDigest(release.digest)}, ${size}, step ${migration.step}, ${sourceOf(release)}`,
    );
  });

/** What it was built from, in words. */
function sourceOf({ commit }: Release): string {
  if (commit === null) return "not from a commit";
  return `commit ${commit.slice(0, 12)}${commit.endsWith("-dirty") ? " with changes that are not in it" : ""}`;
}

await runCommand(program);
