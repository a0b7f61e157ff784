/** What the program does when the engine is asked for the stack's state, and cannot say. */
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { engineState } from "../../infra/plan/state/engine.ts";
import { READ_STATE } from "../../infra/plan/state/known.ts";

/** Asks for the state where the engine answers the call for it so. */
async function asked(answer: () => object) {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ name, inputs }) => ({ id: name, state: inputs }),
      call: ({ token }) => {
        if (token !== READ_STATE) throw new Error(`nobody asks for ${token}`);
        return { ...answer() };
      },
    },
    "durable-stack",
    "staging",
    false,
    "organization",
  );
  return engineState();
}
const failing = (said: string) =>
  asked(() => {
    // As gRPC says it.
    throw Object.assign(new Error(), { details: `invocation of ${READ_STATE} returned an error: ${said}` });
  });

it("knows what the state has", async () => {
  const worker = "urn:pulumi:staging::durable-stack::cloudflare:index/worker:Worker::worker";
  const known = await asked(() => ({ name: "x", outputs: { [worker]: { type: "x", outputs: { id: "w" } } } }));
  expect(known?.get("Worker", "worker")).toEqual({ id: "w" });
});

it.each([
  [
    "another stack of the project",
    "urn:pulumi:production::durable-stack::",
    "the stack production of the project durable-stack",
  ],
  ["another project", "urn:pulumi:staging::shop::", "the stack staging of the project shop"],
])("refuses a state that is another's, and names both: %s", async (_, prefix, whose) => {
  const worker = `${prefix}durable-stack:index:DurableWorker$cloudflare:index/worker:Worker::worker`;
  await expect(asked(() => ({ name: "x", outputs: { [worker]: { outputs: { id: "w" } } } }))).rejects.toThrow(
    `[state_unreadable] staging: its state is another's. It has resources of ${whose}, and this is staging of durable-stack. Fix: `,
  );
});

it("goes on without the state where the engine is too old to be asked for it", async () => {
  expect(await failing(`unrecognized function name: '${READ_STATE}'`)).toBeUndefined();
});

it.each([
  'blob (key ".pulumi/stacks/durable-stack/staging.json") (code=Unknown): 503 Slow Down',
  "incorrect passphrase",
])("refuses the plan where the state cannot be read, and says why: %s", async (said) => {
  const refusal: unknown = await failing(said).catch((error: unknown) => error);
  expect(String(refusal)).toMatch(
    /Nothing was sent[\s\S]*\[state_unreadable\] staging: .*pulumi stack export --stack staging/,
  );
  expect(String(refusal)).toContain(`The engine says: invocation of ${READ_STATE} returned an error: ${said}. Fix: `);
});

it("refuses the plan where the answer is another than is known", async () => {
  await expect(asked(() => ({ name: "x", resources: [] }))).rejects.toThrow(
    /\[state_unreadable\] staging: .*not the one that this program knows\. Fix: /,
  );
});
