/** `npm run build`: builds the release and says what it made. */
import { relative } from "node:path";
import { Command } from "commander";
import { buildRelease } from "../release/build.ts";
import { kib, MAIN_MODULE, shortDigest, sizeOf } from "../release/manifest.ts";
import { ROOT } from "../release/root.ts";
import { MOST } from "../release/size.ts";
import { describeSource, isDirty } from "../release/source.ts";
import { runCommand } from "./command.ts";

const command = new Command("npm run build --")
  .description("Build the release from worker/ and wrangler.jsonc, into dist/release.")
  .showHelpAfterError()
  .action(build);

async function build(): Promise<void> {
  const { dir, manifest, compressed, page } = await buildRelease();
  console.log(`${relative(ROOT, dir)}: ${shortDigest(manifest.digest)}, step ${manifest.migration.step}`);
  console.log(
    `size: ${kib(sizeOf(manifest))}, where Cloudflare takes ${MOST}; compressed: ${kib(compressed)}; page: ${kib(page)}`,
  );
  console.log(`source: ${describeSource(manifest)}`);
  if (isDirty(manifest)) console.log("  A stack with `protect: true` refuses it: commit the changes, and build again.");
  console.log(`classes: ${manifest.classes.join(", ")}`);
  const modules = manifest.modules.filter(({ name }) => name !== MAIN_MODULE);
  if (modules.length) console.log(`modules: ${modules.map(({ name }) => name).join(", ")}`);
}

await runCommand(command);
