/** `npm run build`: builds the release and says what it made. */
import { relative } from "node:path";
import { buildRelease } from "../release/build.ts";
import { shortDigest } from "../release/manifest.ts";
import { ROOT } from "../release/root.ts";
import { orFail } from "./command.ts";

await orFail(async () => {
  const { dir, manifest } = await buildRelease();
  const kib = (manifest.size / 1024).toFixed(1);
  console.log(`${relative(ROOT, dir)}: ${shortDigest(manifest.digest)}, ${kib} KiB, step ${manifest.migration.step}`);
  console.log(`classes: ${manifest.classes.join(", ")}`);
  const { modules = [] } = manifest;
  if (modules.length) console.log(`modules: ${modules.map(({ name }) => name).join(", ")}`);
});
