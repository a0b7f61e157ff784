/** The built page has nothing that its Content-Security-Policy would block. */
import { gunzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { buildPage, sourceLinks } from "../../infra/release/page.ts";
import { projectName } from "../../infra/stack/project.ts";
import { sentence } from "../../worker/page/client/sentence.ts";

let files: Record<"html" | "css" | "js", string>;
beforeAll(async () => {
  await buildPage();
  const { page } = await import("../../worker/page/assets.gen.js");
  const text = ({ gzip }: { gzip: string }) => gunzipSync(Buffer.from(gzip, "base64")).toString();
  files = { html: text(page.html), css: text(page.css), js: text(page.js) };
});

it("has the types that are committed for editors and tsc", async () => {
  const { page } = await import("../../worker/page/assets.gen.js");
  const asset = { gzip: expect.any(String), etag: expect.any(String) };
  expect(page).toStrictEqual({ html: asset, css: asset, js: asset });
});

it("has the project's name as title", async () => {
  const { title } = await import("../../worker/page/assets.gen.js");
  expect(title).toBe(projectName());
  expect(files.html).toContain(`<title>${title}</title>`);
  expect(files.html).toContain(`<h1>${title}</h1>`);
});

it("has no inline script or style, and nothing from elsewhere", () => {
  expect(files.html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i);
  expect(files.html + files.css + files.js).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|@import/);
});

it("links to the source and the guides if package.json has their address, and only by https", () => {
  const url = "https://github.com/example/my-app";
  const links = `<a class=button href="${url}">Source</a><a class=button href="${url}/tree/HEAD/docs">Guides</a>`;
  for (const repository of [url, `${url}.git`, { type: "git", url: `git+${url}.git` }]) {
    expect(sourceLinks(repository)).toBe(links);
  }
  for (const repository of [undefined, "example/my-app", "javascript:alert(1)", { url: "git@github.com:a/b.git" }]) {
    expect(sourceLinks(repository)).toBe("");
  }
});

it("shows a refusal as a sentence, whatever mark it ends with", () => {
  const said = [
    "ann has 3, not 5",
    "ann has 3, not 5.",
    "The Worker did not answer. Are you online?",
    "Stop!",
    "Wait…",
  ];
  expect(said.map(sentence)).toEqual([
    "ann has 3, not 5.",
    "ann has 3, not 5.",
    "The Worker did not answer. Are you online?",
    "Stop!",
    "Wait…",
  ]);
});
