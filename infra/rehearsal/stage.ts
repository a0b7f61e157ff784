/** The throw-away account of a rehearsal: what is around the Worker, and the releases that go out to it. */
import type { Move } from "@durable-stack/class-lifecycle";
import type { RunningAccount } from "@durable-stack/local-account";
import { type ApplyResult, applyProgram } from "../apply/apply.ts";
import { Reads } from "../plan/account/reads.ts";
import type { LiveVersion } from "../plan/live/version.ts";
import { readWorker } from "../plan/live/worker.ts";
import { Api } from "../provider/api.ts";
import { emptyBucket } from "../provider/buckets.ts";
import { destroyed } from "./classes.ts";
import { bindingIn, laidOver, nameOf } from "./own-config.ts";
import type { Side } from "./side.ts";
import { handsOver, makeOwn, makePartners, makeStandIns, type StandIns } from "./stand-ins.ts";

interface Play {
  readonly from: Side;
  readonly to: Side;
  /** Whose settings both are deployed with. */
  readonly stack: string;
  /** The account's folder. */
  readonly dir: string;
  readonly adminToken: string;
  /** What the newer release does to the classes. */
  readonly planned: readonly Move[];
  /** Bindings whose storage it deletes. */
  readonly going: readonly string[];
}

export class Stage {
  readonly #account: RunningAccount;
  readonly #play: Play;
  readonly #standIns: StandIns;
  /** The version of the older release, once that is deployed: not always the first, where a Worker was taken over. */
  #older: LiveVersion | undefined;

  private constructor(account: RunningAccount, play: Play, standIns: StandIns) {
    this.#account = account;
    this.#play = play;
    this.#standIns = standIns;
  }

  /** Makes what both releases need around them. */
  static async of(account: RunningAccount, play: Play): Promise<Stage> {
    const { from, to, stack, planned } = play;
    const sides = [from, to];
    const standIns = await makeStandIns(
      account,
      sides.map((side) => bindingIn(side, stack)),
      sides.map((side) => nameOf(side, stack)),
      planned,
    );
    return new Stage(account, play, standIns);
  }

  /** The name of the older release's Worker. */
  get worker(): string {
    return nameOf(this.#play.from, this.#play.stack);
  }

  /** Deploys the older release, into an account without a Worker. */
  async deployOlder(): Promise<void> {
    const { from, planned } = this.#play;
    const begun = handsOver(from.migrations);
    if (begun) await makeOwn(this.#account, this.worker, from.migrations);
    await this.#deploy(from, [], begun ? { adopt: "true" } : {});
    const live = await readWorker(Reads.through(this.#api, this.#account.accountId), this.worker);
    this.#older = live.versions[0];
    await makePartners(this.#account, planned, this.worker, this.#standIns);
  }

  /** Deletes what is in the buckets that go: Cloudflare deletes none with something in it. */
  async emptyGoing(): Promise<void> {
    const { accountId } = this.#account;
    for (const { name, bucketName, jurisdiction } of this.#older?.bindings ?? []) {
      if (bucketName === undefined || !this.#play.going.includes(name)) continue;
      await emptyBucket(this.#api, { accountId, name: bucketName, jurisdiction });
    }
  }

  /** Deploys the newer release over it; `lines` get what the program says. */
  deployNewer(lines: string[]): Promise<ApplyResult> {
    return this.#deploy(this.#play.to, lines, this.#name);
  }

  /** Goes back to the older one, as `npm run rollback` does. */
  rollBack(): Promise<ApplyResult> {
    return this.#deploy(this.#play.to, [], { pin: String(this.#older?.number), ...this.#name });
  }

  get #api(): Api {
    const { apiUrl: baseUrl, token } = this.#account;
    return new Api({ baseUrl, token });
  }

  /** Among stand-ins the Worker is found by its name, so a new one is not rehearsed there. */
  get #name(): Record<string, string> {
    const hasPartners = this.#play.planned.some(({ kind }) => kind === "send" || kind === "receive");
    return this.#standIns.size > 0 || hasPartners ? { workerName: this.worker } : {};
  }

  #deploy(side: Side, lines: string[], more: Record<string, string>): Promise<ApplyResult> {
    const { dir, stack, adminToken, planned, going } = this.#play;
    const allowDestroy = [...destroyed(planned), ...going];
    return applyProgram({
      dir,
      account: this.#account,
      root: side.root,
      stack,
      withoutEncrypted: true,
      config: { ...laidOver(side, stack, { adminToken, allowDestroy }), ...more },
      onLine: (line) => lines.push(line),
    });
  }
}
