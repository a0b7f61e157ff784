/** Which Workers wait for a class that leaves, as it is read from an account. */
import type { Move } from "@durable-stack/class-lifecycle";
import { describe, expect, it } from "vitest";
import { Reads } from "../../infra/plan/account/reads.ts";
import { awaitedByOthers, heldBy, provisionedOf } from "../../infra/plan/live/transfers.ts";
import { listWorkers } from "../../infra/plan/live/worker.ts";
import { Api } from "../../infra/provider/api.ts";

const WAITING = { Account: { type: "durable-object", storage: "sqlite", transferFrom: "shop" } };
const OWN = { Room: { type: "durable-object", storage: "sqlite" } };

/** An account of these Workers, each with the exports that it serves, and the namespaces that it has by now. */
async function account(
  served: Readonly<Record<string, object | undefined>>,
  namespaces?: readonly { class: string; script: string }[],
) {
  const asked: string[] = [];
  const api = new Api(
    { baseUrl: "http://account.test/client/v4", token: "t" },
    { fetch: async () => Response.json({ result: namespaces?.map((one) => ({ id: "n", ...one })) ?? [] }) },
  );
  const reads = new Reads(
    "a",
    {
      getWorkers: async () => ({
        results: Object.entries(served).map(([name, exports]) => ({
          id: name,
          name,
          deployedOn: exports && "2026-01-01",
          references: { durableObjects: [] },
        })),
      }),
      getWorkersDeployments: async ({ scriptName }) => {
        asked.push(scriptName);
        return { results: [{ deployments: [{ id: "d", versions: [{ versionId: "v", percentage: 100 }] }] }] };
      },
      getWorkerVersion: async ({ workerId }) => ({ id: "v", number: 1, exports: served[workerId] }),
      getWorkerVersions: async () => ({ results: [] }),
    },
    namespaces && api,
  );
  return { workers: await listWorkers(reads), asked };
}

const deletion: Move = { kind: "delete", className: "Account" };
const sending: Move = { kind: "send", className: "Account", toWorker: "till" };
const renaming: Move = { kind: "rename", from: "Account", className: "Book", storage: "sqlite" };
const kept: Move = { kind: "keep", className: "Room", storage: "sqlite" };

describe("a class that leaves", () => {
  it("is looked for in every Worker that serves something where it is deleted, however many there are", async () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`other-${i}`, OWN]));
    const { workers, asked } = await account({ shop: OWN, idle: undefined, ...many, bank: WAITING });
    expect(await awaitedByOthers(workers, "shop", [deletion, kept])).toEqual([
      { className: "Account", fromWorker: "shop", worker: "bank" },
    ]);
    expect(new Set(asked)).toEqual(new Set([...Object.keys(many), "bank"]));
  });

  it("is looked for everywhere where it is sent, for any Worker may wait; and nowhere where nothing leaves", async () => {
    const { workers, asked } = await account({ shop: OWN, bank: WAITING, till: OWN });
    expect(await awaitedByOthers(workers, "shop", [kept])).toBeUndefined();
    expect(asked).toEqual([]);
    expect(await awaitedByOthers(workers, "shop", [sending])).toEqual([
      { className: "Account", fromWorker: "shop", worker: "bank" },
    ]);
    expect(asked).toEqual(["bank", "till"]);
  });

  it("is not awaited by a Worker that waits for another one's, or that has it by now", async () => {
    const { workers } = await account({ shop: OWN, bank: WAITING }, [{ class: "Account", script: "bank" }]);
    expect(await awaitedByOthers(workers, "shop", [deletion])).toEqual([]);
    expect(await awaitedByOthers(workers, "another", [deletion])).toEqual([]);
    expect(await awaitedByOthers(workers, "shop", [renaming])).toEqual([]);
    const before = await account({ shop: OWN, bank: WAITING }, [{ class: "Account", script: "shop" }]);
    expect(await awaitedByOthers(before.workers, "shop", [deletion])).toHaveLength(1);
    expect(await awaitedByOthers(before.workers, "shop", [renaming])).toHaveLength(1);
  });
});

describe("a class that is received", () => {
  const receiving: Move = { kind: "receive", className: "Account", storage: "sqlite", fromWorker: "shop" };

  it("is looked for in every other Worker: another one may wait for it already", async () => {
    const { workers } = await account({ shop: OWN, bank: WAITING, till: OWN });
    const bank = { className: "Account", fromWorker: "shop", worker: "bank" };
    expect(await awaitedByOthers(workers, "till", [receiving])).toEqual([bank]);
    expect(await awaitedByOthers(workers, "bank", [receiving])).toEqual([]);
    expect(await awaitedByOthers(workers, "till", [{ ...receiving, fromWorker: "bank" }])).toEqual([]);
    const come = await account({ shop: OWN, bank: WAITING }, [{ class: "Account", script: "bank" }]);
    expect(await awaitedByOthers(come.workers, "till", [receiving])).toEqual([]);
  });

  it("is not with a Worker that waits for it itself, and is once it has come there", async () => {
    const classes = new Map([["Account", { storage: "sqlite" as const, fromWorker: "shop" }]]);
    const others = new Map([["bank", { classes }]]);
    const heldIn = async (script: string) => {
      const { workers } = await account({ bank: WAITING }, [{ class: "Account", script }]);
      return [...((await heldBy(workers, others)).get("bank")?.keys() ?? [])];
    };
    expect(await heldIn("shop")).toEqual([]);
    expect(await heldIn("bank")).toEqual(["Account"]);
  });
});

describe("a class that is waited for", () => {
  const classes = new Map([["Account", { storage: "sqlite" as const, fromWorker: "shop" }]]);

  it("has come where it has a namespace", async () => {
    const { workers } = await account({ bank: WAITING }, [
      { class: "Room", script: "bank" },
      { class: "Account", script: "shop" },
    ]);
    expect(await provisionedOf(workers, "bank", classes)).toEqual(new Set(["Room"]));
  });

  it("may have come where nobody can tell", async () => {
    const { workers } = await account({ bank: WAITING });
    expect(await provisionedOf(workers, "bank", classes)).toBeUndefined();
  });
});
