/**
 * Loads at first use what Pulumi loads at once and an apply never uses: npm's resolver of dependencies and the
 * TypeScript compiler, with which Pulumi takes functions apart that are to run elsewhere. That is a quarter of the time
 * of an apply without changes (`npm run bench:account`). Import it before Pulumi.
 */
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
/** Asked of Pulumi, whose dependencies they are. */
const pulumi = createRequire(require.resolve("@pulumi/pulumi"));
const lazy = new Set(["@npmcli/arborist", "typescript"].map((name) => pathToFileURL(pulumi.resolve(name)).href));

/** Stands for a module until something of it is wanted; `__esModule` keeps importers from copying all of it. */
const STAND_IN = `
let real;
module.exports = new Proxy({}, {
  get(_, name) {
    if (name === "__esModule") return true;
    if (!real) {
      delete require.cache[__filename];
      real = require(__filename);
    }
    return real[name];
  },
});`;

registerHooks({
  load: (url, context, next) =>
    // Deleted: the second time it is the real one that is asked for.
    lazy.delete(url) ? { format: "commonjs", source: STAND_IN, shortCircuit: true } : next(url, context),
});
