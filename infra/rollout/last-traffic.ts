/** What a rollout has made of the traffic last, so that it overwrites nothing that somebody else has done since. */
import { trafficBefore } from "../plan/traffic/words.ts";
import type { Kept } from "../stack/kept-settings.ts";
import { seeStatusLine } from "../stack/traffic-lines.ts";
import { type Standing, shareIn } from "./standing.ts";
import { TrafficTold } from "./traffic-told.ts";

export class LastTraffic {
  readonly #stack: string;
  readonly #dir: string;
  #deployment: string | undefined;
  #share = 0;
  #setting: Kept | undefined;

  constructor(stack: string, dir: string) {
    this.#stack = stack;
    this.#dir = dir;
  }

  /** The deployment that this rollout has found or made last; undefined: the stack was not looked at since its update. */
  get deployment(): string | undefined {
    return this.#deployment;
  }

  /** Per cent of the traffic that the release had then. */
  get share(): number {
    return this.#share;
  }

  /** What the settings said of the share when this rollout began, or wrote it last. */
  get setting(): Kept | undefined {
    return this.#setting;
  }

  began(setting: Kept): void {
    this.#setting = setting;
  }

  /** The stack was looked at, and this is what the rollout goes on from. */
  found(standing: Standing): void {
    this.#deployment = standing.live.deployment?.id;
    this.#share = shareIn(standing);
  }

  /** An update has given the release this share, and the settings say so. */
  sent(share: number, setting: Kept): void {
    this.#deployment = undefined;
    this.#share = share;
    this.#setting = setting;
  }

  /** @throws TrafficTold where something else has changed the traffic since: whoever abandons a rollout means it. */
  mustHold(now: Standing): void {
    if (this.#deployment !== undefined && now.live.deployment?.id !== this.#deployment) throw this.other(now);
  }

  /** The error that says so. `share`: what this rollout had given the release. */
  other(now: Standing, share = this.#share): TrafficTold {
    return new TrafficTold(
      `Something else has changed the traffic of ${this.#stack}: this rollout had given the release ${share} %, and now it is ${trafficBefore(now).join(", ")}. It is left so. See: ${seeStatusLine(this.#stack, this.#dir)}`,
    );
  }
}
