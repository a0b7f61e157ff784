/** `npm run dev`: a change of the Worker or of its page is served at the next request. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";

/** The goal is a second on an idle machine. This limit is for a busy one. */
const PATIENCE_MS = 10_000;

let project: ProjectCopy;
let terminal: Terminal;
let url: string;
beforeAll(async () => {
  project = new ProjectCopy();
  const dev = "exec node infra/commands/dev.ts --port 0 --inspector-port 0";
  terminal = new Terminal(project.start(dev, { detached: true }));
  const said = await terminal.printed((text) => /Ready on \S+\n/.test(text));
  const [, ready] = /Ready on (\S+)\n/.exec(said) ?? [];
  if (ready === undefined) throw new Error(said);
  url = ready;
});
afterAll(async () => {
  await terminal?.stop();
  project?.remove();
});

const ask = async (path: string) => {
  try {
    return await (await fetch(new URL(path, url))).text();
  } catch {
    // While it reloads nothing answers.
    return "";
  }
};

/** Milliseconds from a change of a file until an answer shows it. */
async function reload(change: { file: string; from: string; to: string }, path: string): Promise<number> {
  const begun = performance.now();
  project.replace(change.file, change.from, change.to);
  while (!(await ask(path)).includes(change.to)) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${path} never had ${change.to}`);
    await pause(10);
  }
  return performance.now() - begun;
}

it("serves a change of the Worker and one of the page, and goes on after a change that does not build", async () => {
  const worker = { file: "worker/http/problem.ts", from: '"Not found"', to: '"Found nowhere"' };
  const page = { file: "worker/page/index.html", from: "<main ", to: "<main data-changed " };
  const took = [await reload(worker, "/nowhere"), await reload(page, "/")];
  console.info(`a change of the Worker: ${Math.round(took[0] ?? 0)} ms, of the page: ${Math.round(took[1] ?? 0)} ms`);
  project.write("worker/http/problem.ts", "this is not TypeScript");
  const said = await terminal.printed((text) => text.includes("What ran before goes on."));
  expect(said).toContain("worker/http/problem.ts:1");
  expect(await ask("/nowhere")).toContain("Found nowhere");
});
