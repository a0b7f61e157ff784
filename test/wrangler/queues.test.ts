/** Real wrangler and queues on the local account. */
import { expect, it } from "vitest";
import { account, temporaryDirectory } from "../../packages/local-account/test/support.ts";
import { projectsIn } from "./project.ts";

const CODE = `export default {
  async fetch(request, { MAILS, KV }) {
    if (new URL(request.url).pathname === "/send") await MAILS.send({ to: "a" });
    return new Response((await KV.get("got")) ?? "nothing");
  },
  async queue({ queue, messages }, { KV }) {
    await KV.put("got", JSON.stringify([queue, messages.map(({ body }) => body)]));
  },
};`;

it("creates queues, deploys a producer and consumer, and manages both", async () => {
  const dir = temporaryDirectory();
  const test = await account({ dir });
  const { id } = await test.sdk.kv.namespaces.create({ account_id: test.id, title: "kv" });
  const { ok, run, ask } = projectsIn(dir, test)(
    {
      name: "mailer",
      kv_namespaces: [{ binding: "KV", id }],
      queues: {
        producers: [{ binding: "MAILS", queue: "mails" }],
        consumers: [{ queue: "mails", max_batch_size: 5, max_batch_timeout: 0, dead_letter_queue: "dead" }],
      },
    },
    { "index.js": CODE },
  );
  const early = await run("queues", "info", "mails");
  expect(early.text).toContain('Queue "mails" does not exist. To create it, run: wrangler queues create mails');
  await ok("queues create mails --message-retention-period-secs 3600");
  expect(await ok("deploy")).toContain("Consumer for mails");
  expect(await ok("queues list")).toMatch(/mails.*1.*1/);
  expect(await ok("queues info mails")).toContain("mailer");
  await ask("/send");
  await expect.poll(() => ask()).toBe('["mails",[{"to":"a"}]]');
  // A second deployment finds its consumer and updates it.
  await ok("deploy");
  await ok("queues pause-delivery mails");
  await ask("/send");
  await ok("queues purge mails --force");
  await ok("queues resume-delivery mails");
  await ok("queues consumer remove mails mailer");
  await ok("queues consumer http add mails --batch-size 3");
  expect(await ok("queues consumer list mails")).toContain("HTTP pull consumers");
  await ok("queues consumer http remove mails");
  await ok("queues update mails --delivery-delay-secs 5");
  await ok("delete --force");
  await ok("queues delete mails");
});
