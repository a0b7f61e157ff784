/**
 * Every call of an apply fails once, in every way: the apply retries or says clearly what failed, the Worker always
 * answers, and the next apply completes the work.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Call } from "@durable-stack/local-account";
import { it, type TestContext } from "vitest";
import { ApplyFailed, type ApplyResult, applyProgram } from "../../infra/apply/apply.ts";
import { setFaults, startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import type { Shape } from "../account/program/shape.ts";

/** Two shapes of the program. From one to the other, an apply creates, updates, replaces and deletes. */
const SHAPES: readonly [Shape, Shape] = [
  { code: "one", cache: false },
  { code: "two", title: "cache", zone: "example.com" },
];

/** Faults for calls that change something, and for calls that only read. */
const WRITE_FAULTS = ["429 before", "500 before", "503 after", "cut before", "cut after"] as const;
const READ_FAULTS = ["503 before"] as const;

interface Case {
  /** The number of the call that fails, from 1. */
  readonly nth: number;
  readonly call: string;
  readonly fault: string;
}

/** The cases in four parts, each on an account of its own; two at once (vitest.config.ts): none of two cores is idle. */
const PARTS = [0, 1, 2, 3];
const WHAT = "retries or fails clearly, keeps serving, and converges: part %i of the cases";

it.concurrent.for(PARTS.slice(0, 2))(WHAT, { timeout: 1_800_000 }, tried);
it.concurrent.for(PARTS.slice(2))(WHAT, { timeout: 1_800_000, tags: ["nightly"] }, tried);

async function tried(part: number, { expect, onTestFinished }: TestContext): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), "local-account-faults-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  let calls: Call[] = [];
  const running = await startChecked({ dir, port: 0, apiPort: 0, onCall: (call) => calls.push(call) });
  const test = new TestAccount(running);
  onTestFinished(() => test.close());

  const apply = (shape: Shape): Promise<ApplyResult> =>
    applyProgram({
      dir,
      root: path.join(import.meta.dirname, "../account/program"),
      account: running,
      config: { "shapes:shape": JSON.stringify(shape), "shapes:secret": "the same secret" },
    });
  const serving = async () => (await test.visit("127.0.0.1")).status;

  await apply(SHAPES[0]);
  /** The remaining cases, on the way to the second shape and on the way back. */
  const left = [await casesOf(SHAPES[1]), await casesOf(SHAPES[0])];

  async function casesOf(shape: Shape): Promise<Case[]> {
    calls = [];
    await apply(shape);
    const cases = calls.flatMap(({ method, path: called }, index) =>
      (method === "GET" ? READ_FAULTS : WRITE_FAULTS).map((fault) => ({
        nth: index + 1,
        call: `${method} ${called}`,
        fault,
      })),
    );
    return cases.filter((_, index) => index % PARTS.length === part);
  }

  const outcomes = { retried: 0, failed: 0 };
  for (let way = 0; left.some((cases) => cases.length > 0); way = 1 - way) {
    const shape = way === 0 ? SHAPES[1] : SHAPES[0];
    const next = left[way]?.shift();
    if (next !== undefined) {
      await setFaults(running, `* * ${next.fault} nth=${next.nth}`);
      const refused = await apply(shape).then(
        () => undefined,
        (error: unknown) => error,
      );
      await setFaults(running);
      if (refused === undefined) outcomes.retried += 1;
      else {
        outcomes.failed += 1;
        expect(refused, next.call).toBeInstanceOf(ApplyFailed);
        expect(String(refused), next.call).toMatch(/was answered \d{3}|was not answered/);
      }
      expect(await serving(), `${next.call}, ${next.fault}`).toBe(200);
    }
    await apply(shape);
    const { steps } = await apply(shape);
    expect(
      steps.filter(({ action }) => action !== "unchanged"),
      JSON.stringify(next),
    ).toEqual([]);
  }
  console.log(
    `${outcomes.retried + outcomes.failed} cases: ${outcomes.retried} went through, ${outcomes.failed} failed clearly.`,
  );
  expect(outcomes).toEqual({ retried: expect.toSatisfy((n) => n > 0), failed: expect.toSatisfy((n) => n > 0) });
}
