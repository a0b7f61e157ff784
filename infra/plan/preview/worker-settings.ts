/** What a Worker has beside its versions while another release than the one at hand serves, or a part of it: pure. */
import type { Preview } from "./preview.ts";

/** Settings of the Worker that come from its release. */
export const OF_RELEASE: readonly string[] = ["logpush", "observability", "tailConsumers"];

/**
 * Those that stay as they are: all of them while another release has all the traffic. The one at hand may be any, and what
 * it asks for may be missing, which is no reason against the way back.
 */
export const settingsThatStay = ({
  live,
  traffic,
  served,
  release,
}: Pick<Preview, "live" | "traffic" | "served" | "release">): readonly string[] =>
  traffic.release === 0 && live.id !== undefined && served !== release.digest ? OF_RELEASE : [];

/** Whether the release has all the traffic. Only then does the Worker get its cron triggers, which every version hears. */
export const servesAll = ({ served, share, release }: Pick<Preview, "served" | "share" | "release">): boolean =>
  served === release.digest && share === 100;
