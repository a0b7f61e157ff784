/** The throw-away account of a rehearsal: what is around the Worker, and the releases that go out to it. */
import type { Move } from "@durable-stack/class-lifecycle";
import type { RunningAccount } from "@durable-stack/local-account";
import { type ApplyResult, applyProgram } from "../apply/apply.ts";
import { destroyed } from "./classes.ts";
import { bindingIn, laidOver, nameOf } from "./own-config.ts";
import type { Side } from "./side.ts";
import { handsOver, makeOwn, makePartners, makeStandIns, type StandIns } from "./stand-ins.ts";

/** The number of the older release's version, in an account that had none before. */
const OLDER_VERSION = "1";

export interface Play {
  readonly from: Side;
  readonly to: Side;
  /** Whose settings both are deployed with. */
  readonly stack: string;
  /** The account's folder. */
  readonly dir: string;
  readonly adminToken: string;
  /** What the newer release does to the classes. */
  readonly planned: readonly Move[];
}

export class Stage {
  readonly #account: RunningAccount;
  readonly #play: Play;
  readonly #standIns: StandIns;

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
    await makePartners(this.#account, planned, this.worker, this.#standIns);
  }

  /** Deploys the newer release over it; `lines` get what the program says. */
  deployNewer(lines: string[]): Promise<ApplyResult> {
    return this.#deploy(this.#play.to, lines, this.#name);
  }

  /** Goes back to the older one, as `npm run rollback` does. */
  rollBack(): Promise<ApplyResult> {
    return this.#deploy(this.#play.to, [], { pin: OLDER_VERSION, ...this.#name });
  }

  /** Among stand-ins the Worker is found by its name, so a new one is not rehearsed there. */
  get #name(): Record<string, string> {
    const hasPartners = this.#play.planned.some(({ kind }) => kind === "send" || kind === "receive");
    return this.#standIns.size > 0 || hasPartners ? { workerName: this.worker } : {};
  }

  #deploy(side: Side, lines: string[], more: Record<string, string>): Promise<ApplyResult> {
    const { dir, stack, adminToken, planned } = this.#play;
    return applyProgram({
      dir,
      account: this.#account,
      root: side.root,
      stack,
      withoutEncrypted: true,
      config: { ...laidOver(side, stack, { adminToken, allowDestroy: destroyed(planned) }), ...more },
      onLine: (line) => lines.push(line),
    });
  }
}
