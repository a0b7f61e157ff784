/** Bindings that Miniflare serves: a Worker on the account can use them. */
import { expect, it } from "vitest";
import { putScript } from "./assets.ts";
import { account, refusal } from "./support.ts";

it("sends mail to allowed addresses only", async () => {
  const test = await account();
  const raw = (to: string) => `"From: a@example.com\\r\\nTo: ${to}\\r\\nMessage-ID: <1@example.com>\\r\\n\\r\\nhi"`;
  await test.deploy("app", {
    code: `import { EmailMessage } from "cloudflare:email";
      const send = (binding, to, raw) => binding.send(new EmailMessage("a@example.com", to, raw)).then(() => "sent", (error) => error.message);
      export default { fetch: async (request, { MAIL }) => Response.json({
        allowed: await send(MAIL, "b@example.com", ${raw("b@example.com")}),
        other: await send(MAIL, "c@example.com", ${raw("c@example.com")}),
      }) };`,
    bindings: [
      { type: "send_email", name: "MAIL", destination_address: "b@example.com" },
      { type: "images", name: "IMAGES" },
    ],
  });
  expect((await test.ask("app")).json()).toEqual({ allowed: "sent", other: expect.stringContaining("not allowed") });
});

it("lets a Worker load code at run time", async () => {
  const test = await account();
  const code = `export default { async fetch(request, { LOADER }) {
    const loaded = LOADER.get("one", async () => ({
      compatibilityDate: "2026-11-01", mainModule: "index.js", env: { NAME: "Ada" },
      modules: { "index.js": "export default { fetch: (_, env) => new Response('hello ' + env.NAME) }" },
    }));
    return loaded.getEntrypoint().fetch(request);
  } };`;
  await test.ensure("app");
  // The SDK's types do not have this binding, so the version is not looked at.
  await putScript(test, "app", { code, bindings: [{ type: "worker_loader", name: "LOADER" }] });
  expect((await test.ask("app")).text).toBe("hello Ada");
});

it("refuses the others by name, with what it serves", async () => {
  const test = await account();
  for (const type of ["ai", "vectorize", "browser", "dispatch_namespace"]) {
    const refused = await refusal(test.deploy("app", { bindings: [{ type, name: "B" }] }));
    expect(refused).toMatchObject({ status: 501, message: expect.stringContaining(`'${type}'`) });
  }
});
