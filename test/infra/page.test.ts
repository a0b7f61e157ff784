/** The built page has nothing that its Content-Security-Policy would block. One that does not build says where. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { buildPage, sourceLinks } from "../../infra/release/page.ts";
import { ROOT } from "../../infra/release/root.ts";
import { projectName } from "../../infra/stack/project.ts";
import { sentence } from "../../worker/page/client/sentence.ts";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

let files: Record<"html" | "css" | "js", string>;
beforeAll(async () => {
  await buildPage(patterns);
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

const panel = patterns
  .map(({ folder }) => `worker/${folder}/panel/panel.ts`)
  .find((file) => existsSync(join(ROOT, file)));

describe.skipIf(panel === undefined)("a mistake in a panel", () => {
  const file = panel ?? "";
  const copied = () => {
    const copy = new ProjectCopy();
    onTestFinished(() => copy.remove());
    copy.write(file, `import "./nowhere.ts";\n${copy.read(file)}`);
    return copy;
  };
  const sentence = `The page does not build:\n  ${file}:1: Could not resolve "./nowhere.ts".\n`;

  it("is told with its place by what builds the page, and is no bug of it", async () => {
    const copy = copied();
    for (const command of ["build", "build:page"])
      expect(await copy.run(`npm run -s ${command}`), command).toEqual({ code: 1, text: sentence });
    copy.write(file, "\nthis is not TypeScript\n");
    const { code, text } = await copy.run("npm run -s build");
    expect(text).toContain(`The page does not build:\n  ${file}:2: Expected ";"`);
    expect(code).toBe(1);
  });

  it("is told by a command that builds the page at its end, with the way back", async () => {
    const copy = copied();
    copy.commit("v1.0.0");
    const { code, text } = await copy.run("npm run -s pattern -- add made-here");
    expect(text).toContain(`\`node infra/commands/page.ts\` failed:\n${sentence}Only a part of this is done.`);
    expect(text).not.toContain("bug");
    expect(code).toBe(1);
  });
});

it("is built where a suite that runs the Worker finds none, as in a fresh clone", async () => {
  const copy = new ProjectCopy();
  onTestFinished(() => copy.remove());
  const { code, text } = await copy.run("vitest run --project worker test/worker/names.test.ts");
  expect(text).toMatch(/Test Files .*1 passed/);
  expect(code).toBe(0);
});
