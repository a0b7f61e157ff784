/** What a person hears before a pin goes: what gets the traffic then, and that it is another than what serves. Pure. */
import { relative } from "node:path";
import type { Preview } from "../plan/preview/preview.ts";
import { trafficBefore } from "../plan/traffic/words.ts";
import { ROOT } from "../release/root.ts";
import { settingsFile } from "../stack/settings-file.ts";
import { goOnLine } from "../stack/traffic-lines.ts";
import { goesWhole, nameOf } from "./whole.ts";

/** What is known beside the plan without the pin. */
interface Unpinning {
  readonly next: Preview;
  /** Number of the release's version where it has had traffic before; undefined: it has not. */
  readonly hadTraffic: number | undefined;
  /** Of the local account. */
  readonly dir: string;
}

/** Which release gets the traffic, and how it would in steps; nothing more where what serves goes on. */
export function unpinnedLines({ next, hadTraffic, dir }: Unpinning): readonly string[] {
  const { live, release, settings, tag, traffic } = next;
  const now = `Now it serves ${trafficBefore(next).join(", ") || "nothing"}.`;
  if (traffic.release === 0 || live.serving.every((version) => version.tag === tag)) return [now];
  const isSame = live.serving.every(({ digest }) => digest === release.digest);
  const what = isSame
    ? `${nameOf(next)} with other settings or secrets`
    : `${nameOf(next)}, another one than what serves,`;
  const before = hadTraffic === undefined ? "" : ` It had traffic before, as version ${hadTraffic}.`;
  const steps = `In steps: set rollout: 0 in ${relative(ROOT, settingsFile(settings.stack, dir))} first; --unpin moves no traffic then, and it begins with: ${goOnLine(settings.stack, dir)}`;
  return [
    `${now} ${what} gets ${traffic.release} % of the traffic at once.${before}`,
    ...(traffic.release === 100 && !goesWhole(next) ? [steps] : []),
  ];
}

/** What is asked: to what the traffic goes. */
export function unpinQuestion(next: Preview, pin: number): string {
  const { settings, traffic } = next;
  const what = `End the pin of ${settings.stack} to version ${pin}`;
  if (traffic.release === 0) return what;
  const share = traffic.release === 100 ? "all traffic" : `${traffic.release} % of the traffic`;
  return `${what}, and send ${share} to ${nameOf(next)}`;
}
