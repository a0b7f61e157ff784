/** `npm run release -- verify|pack|unpack`: a release that is built, without building it. */
import { statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { Command } from "commander";
import { attempt, writeNamed } from "../common/named-file.ts";
import { UserError } from "../common/user-error.ts";
import { filesOf, readFiles } from "../release/files.ts";
import { kib, type Manifest, shortDigest, sizeOf } from "../release/manifest.ts";
import { RELEASE_DIR, ROOT } from "../release/root.ts";
import { describeSource } from "../release/source.ts";
import { type Files, packed, unpacked } from "../release/tarball.ts";
import { reasonToKeep, writeRelease } from "../release/write.ts";
import { runCommand } from "./command.ts";

const FOLDER = relative(ROOT, RELEASE_DIR);

interface Expected {
  readonly digest?: string;
}

const program = new Command("npm run release --").showHelpAfterError();

expecting(program.command("verify"))
  .argument("[release]", "the release's folder, or its .tar.gz", FOLDER)
  .description("check that every file is the one of the manifest, and the manifest the one of its digest")
  .action((from: string, options: Expected) => {
    const { manifest } = checked(from, options);
    console.log(`${from} is whole: ${summary(manifest)}`);
  });

expecting(program.command("pack"))
  .argument("[folder]", "the release's folder", FOLDER)
  .option("--out <file>", "the file to write (default: dist/release-<digest>.tar.gz)")
  .description("write a release as one file; the same release makes the same bytes")
  .action((from: string, { out, ...options }: Expected & { readonly out?: string }) => {
    const { manifest, files } = checked(from, options);
    const file = out ?? `dist/release-${shortDigest(manifest.digest)}.tar.gz`;
    const bytes = packed(files);
    writeNamed(resolve(ROOT, file), bytes);
    console.log(`${file}: ${kib(bytes.byteLength)}, ${summary(manifest)}`);
  });

expecting(program.command("unpack"))
  .argument("<file>", "the .tar.gz of a release")
  .argument("[folder]", "where it is to be; a release that is there is replaced", FOLDER)
  .description("check a release that was packed, and put it into a folder")
  .action((from: string, folder: string, options: Expected) => {
    const { manifest, files } = checked(from, options);
    const why = reasonToKeep(resolve(ROOT, folder));
    if (why !== undefined) {
      throw new UserError(
        `${folder} ${why}, and would be lost. Name a folder that is empty, not there, or a release's.`,
      );
    }
    writeRelease(resolve(ROOT, folder), files);
    console.log(`${folder} has it: ${summary(manifest)}`);
  });

function expecting(command: Command): Command {
  return command.option("--digest <sha256>", "the digest that it must have");
}

/** A release that is whole, and the one that is expected. @throws UserError where it is another. */
function checked(from: string, { digest }: Expected): { readonly manifest: Manifest; readonly files: Files } {
  const path = resolve(ROOT, from);
  const isFile = attempt(path, "read", () => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
  const { manifest, files } = isFile ? filesOf(path, unpacked(path)) : readFiles(path);
  if (digest === undefined || digest === manifest.digest) return { manifest, files };
  throw new UserError(`${from} is not the release that is expected: its digest is ${manifest.digest}, not ${digest}.`);
}

function summary(manifest: Manifest): string {
  const { digest, migration, modules } = manifest;
  const size = `${kib(sizeOf(manifest))} in ${modules.length} ${modules.length === 1 ? "module" : "modules"}`;
  return `${shortDigest(digest)}, ${size}, step ${migration.step}, ${describeSource(manifest)}`;
}

await runCommand(program);
