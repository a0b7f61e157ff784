/** The data of a rehearsal: objects of every pattern that are filled, read back, and held open. */
import type { RunningAccount } from "@durable-stack/local-account";
import { messageOf } from "../common/errors.ts";
import type { Release } from "../release/read.ts";
import { Callers } from "./callers.ts";
import type { Content } from "./classes.ts";
import type { Filled, Filling } from "./filling.ts";
import { inLanes } from "./lanes.ts";
import { fillings } from "./patterns.ts";
import { hold } from "./visitors.ts";

interface Stocking {
  /** The release that is filled first. */
  readonly release: Release;
  /** The name of its Worker. */
  readonly worker: string;
  /** Objects of each class that get data. */
  readonly objects: number;
  readonly adminToken: string;
}

export class Stock {
  readonly #stocking: Stocking;
  readonly #callers: Callers;
  readonly #fillable: readonly Filling[];

  private constructor(stocking: Stocking, callers: Callers, fillable: readonly Filling[]) {
    this.#stocking = stocking;
    this.#callers = callers;
    this.#fillable = fillable;
  }

  static async of(account: RunningAccount, base: URL, stocking: Stocking): Promise<Stock> {
    return new Stock(stocking, await Callers.of(account, base, stocking.worker), await fillings());
  }

  /** Classes that no pattern here fills. */
  get unfilled(): readonly string[] {
    return this.#stocking.release.bindings.flatMap(({ binding, className }) =>
      this.#fillable.some((pattern) => pattern.binding === binding) ? [] : className,
    );
  }

  /** Fills every pattern, in objects of other names for each `batch`. */
  async fill(
    batch: string,
    { regions, home }: { readonly regions: readonly string[]; readonly home: string },
  ): Promise<readonly Filled[]> {
    const { release, objects, adminToken } = this.#stocking;
    const filled: Filled[] = [];
    for (const pattern of this.#fillable) {
      const className = release.bindings.find(({ binding }) => binding === pattern.binding)?.className;
      if (className === undefined) continue;
      const made = await inLanes(Array.from({ length: objects }), async (_, index): Promise<Filled> => {
        const client = await this.#callers.next();
        const nextRegion = regions[index % regions.length] ?? "";
        const id = `${nextRegion}~${batch}-${index}`;
        const subject = { client, id, home, index, round: 0, adminToken };
        const { read, token, region = nextRegion } = await pattern.fill(subject);
        return { pattern, className, subject, id, region, client, read, token };
      });
      filled.push(...made);
    }
    return filled;
  }
}

/** What lets go of the WebSockets of each class. */
export type Sockets = ReadonlyMap<string, Awaited<ReturnType<typeof hold>>>;

/** What every object holds now. The last ones filled are asked first: their buckets refill. */
export async function readAll(filled: readonly Filled[]): Promise<readonly Content[]> {
  const contents = await inLanes(filled.toReversed(), async ({ read }): Promise<Content> => {
    try {
      return { data: await read() };
    } catch (error) {
      return { fault: messageOf(error) };
    }
  });
  return contents.toReversed();
}

/** Opens a WebSocket to each object that takes one. Those in regions that are given up would have nothing to come back to. */
export async function holdSockets(filled: readonly Filled[], givenUp: readonly string[]): Promise<Sockets> {
  const letGo = new Map<string, Awaited<ReturnType<typeof hold>>>();
  for (const className of new Set(filled.map((one) => one.className))) {
    const connects = filled.flatMap(({ className: of, pattern: { socket }, id, region, client, token }) =>
      of === className && socket && !givenUp.includes(region)
        ? [async () => client.connect(socket(id), { token: await token?.() })]
        : [],
    );
    if (connects.length > 0) letGo.set(className, await hold(connects));
  }
  return letGo;
}
