/** Workflows: instances of a deployed class, made by a Worker or by the API, and what a restart leaves of them. */
import { expect, it } from "vitest";
import { account, refusal, type TestAccount, temporaryDirectory } from "./support.ts";

/** `/<id>?wait=<ms>` starts an instance, and shows it. Each step counts its runs in KV. */
const CODE = `import { WorkflowEntrypoint } from "cloudflare:workers";
async function count(KV, name) { await KV.put(name, String(Number((await KV.get(name)) ?? 0) + 1)); }
export class Order extends WorkflowEntrypoint {
  async run({ payload, instanceId }, step) {
    const first = await step.do("first", async () => { await count(this.env.KV, "first"); return payload.n + 1; });
    if (payload.wait) await step.sleep("pause", payload.wait);
    if (payload.fail) await step.do("fails", { retries: { limit: 1, delay: 1 } }, async () => { throw new Error("on purpose"); });
    const event = payload.event ? await step.waitForEvent("approval", { type: "approved", timeout: "1 hour" }) : null;
    if (payload.loop) await step.do("loops", async () => { for (;;); });
    await step.do("last", async () => { await count(this.env.KV, "last"); });
    return JSON.stringify({ first, by: event?.payload?.by ?? null });
  }
}
export default { async fetch(request, { ORDER, KV }) {
  const { pathname, searchParams } = new URL(request.url);
  if (searchParams.has("loop")) for (;;);
  const id = pathname.slice(1);
  if (id === "") return Response.json([await KV.get("first"), await KV.get("last")]);
  const instance = await ORDER.create({ id, params: JSON.parse(searchParams.get("params") ?? "{}") });
  return Response.json(await instance.status());
} };`;

async function withWorkflow(dir = temporaryDirectory()): Promise<TestAccount> {
  const test = await account({ dir });
  const { id: kv } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  await test.deploy("shop", {
    code: CODE,
    bindings: [
      { type: "kv_namespace", name: "KV", namespace_id: kv },
      { type: "workflow", name: "ORDER", workflow_name: "orders", class_name: "Order" },
    ],
  });
  await test.call("put", "/workflows/orders", { script_name: "shop", class_name: "Order" });
  return test;
}

const start = (test: TestAccount, id: string, params: object) =>
  test.ask("shop", `/${id}?params=${encodeURIComponent(JSON.stringify(params))}`);
const instance = (test: TestAccount, id: string) => test.call("get", `/workflows/orders/instances/${id}`);
const becomes = (test: TestAccount, id: string, shape: object) =>
  expect.poll(() => instance(test, id)).toMatchObject(shape);
/** How often the first and the last step have run. */
const runs = async (test: TestAccount) => JSON.parse((await test.ask("shop")).text);

it("runs an instance that a Worker made, step by step, and shows each step", async () => {
  const test = await withWorkflow();
  await start(test, "one", { n: 1 });
  await becomes(test, "one", {
    status: "complete",
    success: true,
    params: { n: 1 },
    output: '{"first":2,"by":null}',
    steps: [
      { type: "step", name: "first-1", success: true, output: "2", attempts: [{ success: true }] },
      { name: "last-1", success: true },
    ],
  });
  expect(await test.call("get", "/workflows/orders/instances")).toMatchObject([{ id: "one", status: "complete" }]);
  expect(await test.call("get", "/workflows/orders")).toMatchObject({ instances: { complete: 1 } });
  // A new workflow of the same name has none of them.
  await test.call("delete", "/workflows/orders");
  await test.call("put", "/workflows/orders", { script_name: "shop", class_name: "Order" });
  expect(await test.call("get", "/workflows/orders/instances")).toEqual([]);
});

it("ends an instance with the error of a step that fails to the last attempt", async () => {
  const test = await withWorkflow();
  await start(test, "one", { n: 1, fail: true });
  await becomes(test, "one", {
    status: "errored",
    success: false,
    error: { message: "on purpose" },
    steps: [{ name: "first-1" }, { name: "fails-1", attempts: [{ success: false }, { success: false }] }],
  });
});

it("goes on after a deployment and a restart, without a finished step again", async () => {
  const dir = temporaryDirectory();
  const test = await withWorkflow(dir);
  await start(test, "naps", { n: 1, wait: 3_000 });
  await start(test, "sleeps", { n: 1, wait: "1 hour" });
  await start(test, "waits", { n: 1, event: true });
  const asleep = { steps: [{ name: "first-1" }, { name: "pause-1", finished: false }] };
  await becomes(test, "sleeps", asleep);
  await becomes(test, "waits", { steps: [{ name: "first-1" }, { name: "approval-1", finished: false }] });
  await test.deploy("other", { tag: "a deployment of another Worker" });
  await test.close();

  const again = await account({ dir });
  await again.call("post", "/workflows/orders/instances/waits/events/approved", { by: "Ada" });
  await becomes(again, "waits", { status: "complete", output: '{"first":2,"by":"Ada"}' });
  await becomes(again, "naps", { status: "complete" });
  expect(await instance(again, "sleeps")).toMatchObject({ status: "running", ...asleep });
  expect(await runs(again)).toEqual(["3", "2"]);
});

it("pauses, resumes, restarts and terminates an instance", async () => {
  const test = await withWorkflow();
  const change = (id: string, status: string) =>
    test.call("patch", `/workflows/orders/instances/${id}/status`, { status });
  await start(test, "one", { n: 1, event: true });
  await becomes(test, "one", { steps: [{ name: "first-1" }, { name: "approval-1" }] });
  await change("one", "pause");
  await becomes(test, "one", { status: "paused" });
  await change("one", "resume");
  await test.call("post", "/workflows/orders/instances/one/events/approved", { by: "Ada" });
  await becomes(test, "one", { status: "complete" });
  await change("one", "restart");
  await expect.poll(() => runs(test)).toEqual(["2", "1"]);
  await change("one", "terminate");
  await becomes(test, "one", { status: "terminated" });
  for (const status of ["pause", "resume", "terminate"])
    expect(await refusal(change("one", status))).toMatchObject({ code: 10202 });
});

it("gives up an instance whose step loops, and the account goes on", async () => {
  const test = await withWorkflow();
  await start(test, "one", { n: 1, loop: true });
  await expect
    .poll(() => instance(test, "one").catch(() => undefined), { timeout: 120_000 })
    .toMatchObject({
      status: "errored",
      error: { message: expect.stringContaining("computes too long") },
    });
  expect((await test.ask("shop")).status).toBe(200);
});

it("blames no instance that sleeps or waits for the loops of a Worker's requests", async () => {
  const test = await withWorkflow();
  await start(test, "sleeps", { n: 1, wait: "1 hour" });
  await start(test, "waits", { n: 1, event: true });
  await becomes(test, "sleeps", { steps: [{ name: "first-1" }, { name: "pause-1" }] });
  await becomes(test, "waits", { steps: [{ name: "first-1" }, { name: "approval-1" }] });
  for (let loops = 0; loops < 4; loops++) expect((await test.ask("shop", "/?loop")).text).toBe("error code: 1102\n");
  await test.call("post", "/workflows/orders/instances/waits/events/approved", { by: "Ada" });
  await becomes(test, "waits", { status: "complete", output: '{"first":2,"by":"Ada"}' });
  expect(await instance(test, "sleeps")).toMatchObject({ status: "running" });
});

it("lists, describes and terminates instances while their class is not there, and goes on when it is back", async () => {
  const test = await withWorkflow();
  const { result } = await test.sdk.workers.beta.workers.versions.list("shop", { account_id: test.id });
  for (const id of ["stays", "ends"]) {
    await start(test, id, { n: 1, event: true });
    await becomes(test, id, { steps: [{ name: "first-1" }, { name: "approval-1" }] });
  }
  await test.deploy("shop", { tag: "no class" });
  expect(await test.call("get", "/workflows/orders/instances")).toMatchObject([{ id: "ends" }, { id: "stays" }]);
  expect(await instance(test, "stays")).toMatchObject({ steps: [{ name: "first-1" }, { name: "approval-1" }] });
  const change = (id: string, more: object) => test.call("patch", `/workflows/orders/instances/${id}/status`, more);
  expect(await change("ends", { status: "terminate" })).toMatchObject({ status: "terminated" });
  for (const call of [
    () => change("stays", { status: "restart" }),
    () => change("stays", { status: "terminate", rollback: true }),
    () => test.call("post", "/workflows/orders/instances", { instance_id: "new" }),
    () => test.call("post", "/workflows/orders/instances/stays/events/approved", { by: "Ada" }),
  ])
    expect(await refusal(call())).toMatchObject({ code: 10202, message: expect.stringContaining("named 'Order'") });
  await test.split("shop", { [result[0]?.id ?? ""]: 100 });
  await test.call("post", "/workflows/orders/instances/stays/events/approved", { by: "Ada" });
  await becomes(test, "stays", { status: "complete", output: '{"first":2,"by":"Ada"}' });
  expect(await instance(test, "ends")).toMatchObject({ status: "terminated" });
});

it("creates all instances of a batch, or none", async () => {
  const test = await withWorkflow();
  const batch = (...ids: readonly (string | undefined)[]) =>
    test.call(
      "post",
      "/workflows/orders/instances/batch",
      ids.map((id) => ({ ...(id !== undefined && { instance_id: id }), params: { n: 1 } })),
    );
  expect(await batch("a", undefined)).toMatchObject([{ id: "a", status: "queued" }, { status: "queued" }]);
  await becomes(test, "a", { status: "complete" });
  expect(await refusal(batch("b", "c", "b"))).toMatchObject({ message: expect.stringContaining("duplicate_in_batch") });
  expect(await refusal(batch("b", "a"))).toMatchObject({ message: expect.stringContaining("already_exists") });
  expect(await refusal(batch("b", "not an id"))).toMatchObject({ message: expect.stringContaining("invalid id") });
  await batch("d");
  await becomes(test, "d", { status: "complete" });
  const { result } = await test.sdk.workflows.instances.list("orders", { account_id: test.id });
  expect(result.map(({ id }) => id)).toEqual(["d", expect.any(String), "a"]);
});

it("refuses workflows without a class, and what it does not serve", async () => {
  const test = await withWorkflow();
  const put = (more: object) => refusal(test.call("put", "/workflows/new", { script_name: "shop", ...more }));
  expect(await put({ class_name: "Nothing" })).toMatchObject({ status: 400, code: 10021 });
  expect(await put({ class_name: "Order", schedules: [{ cron: "* * * * *" }] })).toMatchObject({ status: 501 });
  expect(await refusal(test.call("get", "/workflows/nothing"))).toMatchObject({ status: 404, code: 10200 });
  expect(await refusal(instance(test, "nothing"))).toMatchObject({ status: 404, code: 10201 });
  await test.call("post", "/workflows/orders/instances", { instance_id: "one", params: { n: 1 } });
  const twice = refusal(test.call("post", "/workflows/orders/instances", { instance_id: "one" }));
  expect(await twice).toMatchObject({ status: 400, message: expect.stringContaining("already") });
});
