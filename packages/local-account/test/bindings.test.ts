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

it("inherits a binding of the Worker's own versions, and of no other Worker's", async () => {
  const test = await account();
  const secret = (text: string) => [{ type: "secret_text", name: "KEY", text }];
  const other = await test.deploy("other", { bindings: secret("of another") });
  const first = await test.deploy("app", { bindings: secret("first") });
  await test.deploy("app", { bindings: secret("second") });
  const inherited = (version_id: string) => ({ type: "inherit", name: "KEY", version_id });
  const code = "export default { fetch: (_, env) => Response.json(env) };";
  const calls = {
    version: (id: string) => test.deploy("app", { code, bindings: [inherited(id)] }),
    settings: (id: string) => test.call("patch", "/workers/scripts/app/settings", { bindings: [inherited(id)] }),
    patch: (id: string) => test.call("patch", "/workers/workers/app/versions/latest", { env: { KEY: inherited(id) } }),
  };
  for (const [name, call] of Object.entries(calls))
    for (const id of [other.id, "none"])
      expect(await refusal(call(id)), name).toMatchObject({
        status: 400,
        code: 10057,
        message: expect.stringContaining(`KEY: this Worker has no version '${id}'`),
      });
  await calls.version(first.id);
  expect((await test.ask("app")).json()).toMatchObject({ KEY: "first" });
  // Without bindings_inherit=strict, what is not found is dropped.
  await putScript(test, "app", { code, bindings: [inherited(other.id)] });
  expect((await test.ask("app")).json()).not.toHaveProperty("KEY");
  await calls.settings(first.id);
  expect((await test.ask("app")).json()).toMatchObject({ KEY: "first" });
});

it("refuses the others by name, with what it serves", async () => {
  const test = await account();
  for (const type of ["ai", "vectorize", "browser", "dispatch_namespace"]) {
    const refused = await refusal(test.deploy("app", { bindings: [{ type, name: "B" }] }));
    expect(refused).toMatchObject({ status: 501, message: expect.stringContaining(`'${type}'`) });
  }
});
