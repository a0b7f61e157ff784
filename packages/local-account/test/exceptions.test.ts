/** The exceptions of Workers at the terminal: each once, with the Worker's own frames, in the terms of its sources. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildSync } from "esbuild";
import { expect, it, onTestFinished, vi } from "vitest";
import { account, live, temporaryDirectory } from "./support.ts";

const SOURCES = {
  "src/deep.ts": `
interface Trouble { readonly why: string }
export function deep({ why }: Trouble): never {
  throw new TypeError(why);
}`,
  "src/index.ts": `
import { DurableObject } from "cloudflare:workers";
import { deep } from "./deep.ts";
export class Thing extends DurableObject {
  async wake() { await this.ctx.storage.setAlarm(Date.now()); }
  async alarm() {
    if ((await this.ctx.storage.get("rang")) === undefined) {
      await this.ctx.storage.put("rang", true);
      await this.ctx.storage.sync();
      deep({ why: "of an alarm" });
    }
  }
}
export default {
  async fetch(request: Request, env: { Thing: DurableObjectNamespace<Thing> }, ctx: { waitUntil(work: Promise<unknown>): void }) {
    const { pathname } = new URL(request.url);
    if (pathname === "/alarm") await env.Thing.getByName("x").wake();
    if (pathname === "/after") ctx.waitUntil(Promise.resolve().then(() => deep({ why: "afterwards" })));
    if (pathname === "/log") {
      try {
        deep({ why: "for the log" });
      } catch (error) {
        console.error(JSON.stringify({ error: error instanceof Error ? error.stack : "" }));
      }
    }
    if (pathname === "/throw") deep({ why: "of a request" });
    return new Response("ok");
  },
  scheduled() { deep({ why: "of a cron trigger" }); },
};`,
};

/** The bundle of the sources and its source map, as a deployment tool uploads them. */
function bundled() {
  const folder = temporaryDirectory();
  mkdirSync(path.join(folder, "src"));
  for (const [name, text] of Object.entries(SOURCES)) writeFileSync(path.join(folder, name), text);
  const { outputFiles } = buildSync({
    absWorkingDir: folder,
    entryPoints: ["src/index.ts"],
    outfile: "dist/index.js",
    bundle: true,
    minify: true,
    keepNames: true,
    format: "esm",
    external: ["cloudflare:*"],
    sourcemap: "external",
    write: false,
  });
  const contents = (suffix: string) => outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? "";
  const map = {
    name: "index.js.map",
    content_type: "application/source-map",
    content_base64: Buffer.from(contents(".map")).toString("base64"),
  };
  return { code: contents("index.js"), modules: [map], bound: ["Thing"], exports: live("Thing") };
}

it("prints each exception once, with its frames in the sources", async () => {
  const said: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: unknown) => void said.push(String(line)));
  onTestFinished(() => spy.mockRestore());
  const test = await account();
  const { id } = await test.deploy("app", bundled());
  const saying = async (what: string) => {
    await expect.poll(() => said).toHaveLength(1);
    expect(said[0]).toMatch(what);
    expect(said[0]).toMatch(/^ {4}at deep \(src\/deep\.ts:4:9\)$/m);
    expect(said[0]).not.toContain("index.js");
    said.length = 0;
  };
  expect((await test.ask("app", "/throw?token=secret")).text).toBe("error code: 1101\n");
  await saying("app: GET /throw threw TypeError: of a request\n");
  expect((await test.ask("app", "/after")).text).toBe("ok");
  await saying("app: GET /after threw TypeError: afterwards\n");
  expect((await test.ask("app", "/alarm")).text).toBe("ok");
  await saying("app: the alarm of Thing threw TypeError: of an alarm\n");
  await test.call("put", "/workers/scripts/app/schedules", [{ cron: "5 4 * * *" }]);
  await test.sdk.post("/local/cron", { body: { worker: "app" } });
  await saying("app: the cron trigger '5 4 * * *' threw TypeError: of a cron trigger\n");

  // Both sides of a split have their own map.
  const { code, ...rest } = bundled();
  const second = await test.upload("app", { ...rest, code: `// a line more\n${code}`, modules: [] });
  await test.split("app", { [id]: 50, [second.id]: 50 });
  await test.ask("app", "/throw", { "cloudflare-workers-version-overrides": `app="${id}"` });
  await saying("app: GET /throw threw");
  await test.ask("app", "/throw", { "cloudflare-workers-version-overrides": `app="${second.id}"` });
  await expect.poll(() => said).toHaveLength(1);
  expect(said[0]).toMatch(/^ {4}at \S+ \(index\.js:2:\d+\)$/m);
});

it("names the sources of a bundle whose map another keeps, also where the Worker logs a stack", async () => {
  const said: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: unknown) => void said.push(String(line)));
  onTestFinished(() => spy.mockRestore());
  const { modules, ...rest } = bundled();
  const sha256 = createHash("sha256").update(rest.code).digest("hex");
  const test = await account({
    sourceMapOf: (of) => (of === sha256 ? Buffer.from(modules[0]?.content_base64 ?? "", "base64") : undefined),
  });
  await test.deploy("app", rest);
  await test.ask("app", "/throw");
  await expect.poll(() => said.splice(0)).toContainEqual(expect.stringMatching(/^ {4}at deep \(src\/deep\.ts:4:9\)$/m));
  await test.ask("app", "/log");
  await expect.poll(() => said.splice(0)).toContainEqual(expect.stringContaining("at deep (src/deep.ts:4:9)\\n"));
  // A line does not say which of two has logged it.
  await test.deploy("other", rest);
  await test.ask("app", "/log");
  await expect
    .poll(() => said.splice(0))
    .toContainEqual(expect.stringMatching(/at deep \(file:.*\/index\.js:\d+:\d+\)/));
});

it("names a constructor that throws", async () => {
  const said: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: unknown) => void said.push(String(line)));
  onTestFinished(() => spy.mockRestore());
  const test = await account();
  const code = `import { DurableObject } from "cloudflare:workers";
export class Thing extends DurableObject {
  constructor(ctx, env) { super(ctx, env); throw new Error("not today"); }
  wake() {}
}
export default { async fetch(request, env) { await env.Thing.getByName("x").wake(); return new Response("ok"); } };`;
  await test.deploy("app", { code, bound: ["Thing"], exports: live("Thing") });
  expect((await test.ask("app")).text).toBe("error code: 1101\n");
  await expect.poll(() => said.join("\n")).toContain("app: the constructor of Thing threw Error: not today\n");
});
