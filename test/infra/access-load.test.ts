/** `npm run access` reads the routes of every Worker that the build takes, before the page is built. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProjectCopy } from "../project-copy.ts";

let copy: ProjectCopy;
beforeAll(() => {
  copy = new ProjectCopy();
  const entry = copy.read("worker/index.ts");
  copy.write("worker/index.ts", `import "./odd/odd.tsx";\n${entry}`);
  copy.write("worker/odd/mail.html", "<p>Hello</p>\n");
  copy.write("worker/odd/note.txt", "a note\n");
  copy.write("worker/odd/begin.sql", "SELECT 1;\n");
  // As packages in CommonJS do.
  copy.write("worker/odd/old.cjs", 'module.exports = require("buffer").Buffer.from("old").toString();\n');
  copy.write("worker/odd/aliased.ts", "export const it = 1;\n");
  // Four bytes that begin every module of WebAssembly, and its version.
  copy.write("worker/odd/empty.wasm", "\0asm\x01\0\0\0");
  copy.replace("wrangler.jsonc", '"main":', '"alias": { "odd-thing": "./worker/odd/aliased.ts" },\n  "main":');
  copy.write(
    "worker/odd/odd.tsx",
    `import { Buffer } from "buffer";
import { EmailMessage } from "cloudflare:email";
import { connect } from "cloudflare:sockets";
import { env, RpcStub } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import { Fragment, jsx } from "hono/jsx";
import { it } from "odd-thing";
import sql from "./begin.sql";
import wasm from "./empty.wasm";
import mail from "./mail.html";
import old from "./old.cjs";
import note from "./note.txt";

enum Kind {
  Odd,
}
class Refused extends NonRetryableError {}
void [Fragment, jsx, env, RpcStub, connect, EmailMessage, Refused, Kind.Odd, Buffer.from(note)];
new WebAssembly.Instance(wasm);
if (it !== 1 || old !== "old" || !sql.startsWith("SELECT") || !mail.includes("Hello")) throw new Error("not what the files say");
/** @jsx jsx */
export const part = () => <p>{mail}</p>;
`,
  );
});
afterAll(() => copy.remove());

describe("npm run access", () => {
  it("takes files as modules, modules of the runtime, CommonJS, JSX, enums and aliases", async () => {
    expect(await copy.run("npm run -s access -- check")).toEqual({ code: 0, text: "" });
  });

  it("takes an app with handlers of other events, and says how to add them where the app is gone", async () => {
    const file = "worker/index.ts";
    const before = copy.read(file);
    const handlers = "{ async scheduled() {}, async queue() {} } satisfies ExportedHandler<Env>";
    const whole = /export default (appOf\(\{[\s\S]*\}\));/;
    copy.write(
      file,
      before.replace(whole, (_, app) => `export default Object.assign(${app}, ${handlers});`),
    );
    expect(await copy.run("npm run -s access -- check")).toEqual({ code: 0, text: "" });
    copy.write(
      file,
      before.replace(whole, (_, app) => `export default { fetch: ${app}.fetch, async queue() {} };`),
    );
    const { code, text } = await copy.run("npm run -s access -- check");
    expect(code).toBe(1);
    expect(text).toMatch(/^The default export of worker\/index\.ts is not the app.*Object\.assign\(appOf/);
    expect(text).not.toMatch(/\n\s+at |bug/);
    copy.write(file, before);
  });

  it("says what does not work while the Worker is loaded, and is no bug then", async () => {
    copy.replace("worker/odd/aliased.ts", "export const it = 1;", "export const it = 2;");
    const { code, text } = await copy.run("npm run -s access -- check");
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining("routes: not what the files say") });
  });

  it("is no bug either where it is part of another command", async () => {
    copy.commit("before");
    const { code, text } = await copy.run("npm run -s pattern -- add try-out");
    expect(code, text).toBe(1);
    expect(text).toMatch(/`node infra\/commands\/access\.ts` failed:[\s\S]*not what the files say[\s\S]*git checkout/);
  });
});
