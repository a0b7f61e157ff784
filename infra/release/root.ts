/** Where the project is, wherever a command was started. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where a release is built, and looked for where nothing else is said. */
export const RELEASE_DIR = join(ROOT, "dist/release");
