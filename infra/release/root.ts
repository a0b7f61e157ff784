/** Where the project is, wherever a command was started. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The history of its classes, as it is named at the command line and in a sentence. */
export const HISTORY_FILE = "infra/migrations.ts";

/** The folder of this checkout's own release, as it is named at the command line. */
export const OWN_RELEASE = "dist/release";

/** Where a release is built, and looked for where nothing else is said. */
export const RELEASE_DIR = join(ROOT, OWN_RELEASE);
