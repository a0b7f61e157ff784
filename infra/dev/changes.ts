/** Changes of what the Worker and its page are made of, those of one save together. */
import { ROOT } from "../release/root.ts";
import { Followed, type MadeOf } from "./follow.ts";
import { watchFiles } from "./watch.ts";

/** What a change may wait for others of the same save, in milliseconds. */
const TOGETHER_MS = 20;
/** What the Worker is made of, with what its bindings come from, and the page's title. */
const WATCHED = /^((wrangler\.jsonc|Pulumi\.yaml|\.dev\.vars|\.env(\.local)?)$|(worker|contract)([/\\]|$))/;
/** What is made of them here. */
const MADE = "assets.gen";

interface Changes {
  /** Hears of changes of these too, wherever they are. */
  follow(parts: readonly MadeOf[]): void;
  stop(): void;
}

/** Calls `apply` with the files after each change, never twice at once. */
export function onChanges(apply: (changed: readonly string[]) => Promise<void>, say: (line: string) => void): Changes {
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
  const followed = new Followed();
  const wanted = (file: string) => WATCHED.test(file) || followed.wants(file);
  const watch = watchFiles(ROOT, { wanted, changed, say });
  return {
    follow(parts) {
      followed.set(parts);
      watch.look(followed.folders);
    },
    stop() {
      clearTimeout(timer);
      watch.stop();
    },
  };
}
