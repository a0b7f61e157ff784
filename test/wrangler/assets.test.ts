/** Real wrangler with projects that have static assets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startChecked, TestAccount } from "../../packages/local-account/test/support.ts";
import { type Projects, projectsIn } from "./project.ts";

let dir: string;
let test: TestAccount;
let project: Projects;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "wrangler-assets-"));
  test = new TestAccount(await startChecked({ dir: path.join(dir, "account"), port: 0, apiPort: 0 }));
  project = projectsIn(dir, test);
});
afterAll(async () => {
  await test?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The object reads an asset through the Worker's binding. */
const CODE = `
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async add() {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    const page = await (await this.env.ASSETS.fetch("http://assets/page")).text();
    return { count, page };
  }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/api/")) return Response.json(await env.TALLY.getByName("one").add());
    return env.ASSETS.fetch(request);
  },
};`;

it("deploys assets beside a Durable Object, uploads only what changed, splits, rolls back and deletes", async () => {
  const site = project(
    {
      name: "site",
      assets: {
        directory: "public",
        binding: "ASSETS",
        not_found_handling: "single-page-application",
        run_worker_first: ["/api/*"],
      },
      durable_objects: { bindings: [{ name: "TALLY", class_name: "Counter" }] },
      exports: { Counter: { type: "durable-object", storage: "sqlite" } },
    },
    {
      "index.js": CODE,
      "public/index.html": "the app",
      "public/page.html": "first page",
      "public/style/main.css": "body { color: red }",
      "public/copy.css": "body { color: red }",
      "public/_headers": "/style/*\n  x-style: yes\n",
      "public/_redirects": "/old /page 301\n",
      "public/.assetsignore": "secret.txt\n",
      "public/secret.txt": "not to be uploaded",
    },
  );
  // Two files are equal, so the content is uploaded once.
  expect(await site.ok("deploy")).toContain("Uploaded 3 of 3 assets");
  expect(await site.ask()).toBe("the app");
  expect(await site.ask("/page")).toBe("first page");
  const style = await test.ask("site", "/style/main.css");
  expect(style).toMatchObject({ status: 200, text: "body { color: red }" });
  expect(style.headers).toMatchObject({ "content-type": "text/css; charset=utf-8", "x-style": "yes" });
  expect(await test.ask("site", "/old")).toMatchObject({ status: 301, headers: { location: "/page" } });
  expect(await test.ask("site", "/page.html")).toMatchObject({ status: 307, headers: { location: "/page" } });
  expect(await site.ask("/secret.txt")).toBe("the app");
  expect(JSON.parse(await site.ask("/api/add"))).toEqual({ count: 1, page: "first page" });

  site.write("public/page.html", "second page");
  expect(await site.ok("deploy")).toContain("Found 1 new or modified static asset to upload");
  expect(JSON.parse(await site.ask("/api/add"))).toEqual({ count: 2, page: "second page" });
  // An unchanged file keeps its ETag, so a browser need not load it again.
  const unchanged = await test.ask("site", "/style/main.css", { "if-none-match": style.headers.etag ?? "" });
  expect(unchanged.status).toBe(304);

  const [second, first] = (await site.ok("versions list")).match(/(?<=Version ID:\s+)\S+/g)?.toReversed() ?? [];
  await site.ok(`versions deploy ${second}@50 ${first}@50 -y`);
  for (const [version, page] of [
    [first, "first page"],
    [second, "second page"],
  ] as const) {
    const headers = { "cloudflare-workers-version-overrides": `site="${version}"` };
    expect((await test.ask("site", "/page", headers)).text).toBe(page);
  }
  expect(JSON.parse(await site.ask("/api/add"))).toMatchObject({
    count: 3,
    page: expect.stringMatching(/^(first|second) page$/),
  });

  expect(await site.ok(`rollback ${first} -y`)).toContain(first);
  expect(await site.ask("/page")).toBe("first page");
  expect(JSON.parse(await site.ask("/api/add"))).toEqual({ count: 4, page: "first page" });
  // Everything was uploaded before, so nothing is uploaded again.
  expect(await site.ok("deploy")).toContain("No updated asset files to upload");
  expect(await site.ask("/page")).toBe("second page");
  await site.ok("delete --force");
  expect((await test.ask("site", "/page")).status).toBe(404);
});

it("deploys assets without a script, and shows another version of them at its preview address", async () => {
  const docs = project(
    {
      name: "docs",
      main: undefined,
      assets: { directory: "public", not_found_handling: "404-page", html_handling: "none" },
    },
    { "public/index.html": "home", "public/404.html": "nothing here", "public/a/ü b.txt": "odd name" },
  );
  await docs.ok("deploy");
  expect(await docs.ask("/index.html")).toBe("home");
  expect(await docs.ask("/a/%C3%BC%20b.txt")).toBe("odd name");
  expect(await test.ask("docs", "/missing")).toMatchObject({ status: 404, text: "nothing here" });

  docs.write("public/index.html", "new home");
  const id = /Worker Version ID: (\S+)/.exec(await docs.ok("versions upload"))?.[1] ?? "";
  expect(await docs.ask("/index.html")).toBe("home");
  expect((await test.ask(`${id.slice(0, 8)}-docs`, "/index.html")).text).toBe("new home");
  await docs.ok(`versions deploy ${id}@100 -y`);
  expect(await docs.ask("/index.html")).toBe("new home");
  expect(await docs.ok(`versions view ${id}`)).toContain(id);
});
