/** Changes of what the Worker and its page are made of, those of one save together. */
import { ROOT } from "../release/root.ts";
import { watchFiles } from "./watch.ts";

/** What a change may wait for others of the same save, in milliseconds. */
const TOGETHER_MS = 20;
/** What the Worker is made of, with what its bindings come from, and the page's title. */
const WATCHED = /^((wrangler\.jsonc|Pulumi\.yaml|\.dev\.vars|\.env(\.local)?)$|(worker|contract)([/\\]|$))/;
/** What is made of them here. */
const MADE = "assets.gen";

/** Calls `apply` with the files after each change, never twice at once. Returns what ends that. */
export function onChanges(
  apply: (changed: readonly string[]) => Promise<void>,
  say: (line: string) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const waiting = new Set<string>();
  let running: Promise<void> = Promise.resolve();
  const applyAll = async () => {
    const changed = [...waiting];
    waiting.clear();
    // What came while another was applied is applied already, with the one before.
    if (changed.length > 0) await apply(changed);
  };
  const changed = (file: string) => {
    if (file.includes(MADE)) return;
    waiting.add(file);
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(applyAll).catch((error: unknown) => say(String(error)));
    }, TOGETHER_MS);
  };
  const stop = watchFiles(ROOT, { wanted: (file) => WATCHED.test(file), changed, say });
  return () => {
    clearTimeout(timer);
    stop();
  };
}
