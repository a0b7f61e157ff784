/** What the Worker has thrown under `npm start`: told with the lines of its sources, and not with those of the bundle. */
import { expect, it, onTestFinished } from "vitest";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";

it("names the lines of the project's files in what it prints of an error", async () => {
  const copy = new ProjectCopy();
  onTestFinished(() => copy.remove());
  const opening = '"/health", describe("What is running here", { 200: Health }), (c) => {\n';
  copy.replace(
    "worker/http/health.ts",
    opening,
    `${opening}  if (c.req.query("throw")) throw new Error("on purpose");\n`,
  );
  const line = copy.read("worker/http/health.ts").slice(0, copy.read("worker/http/health.ts").indexOf("on purpose"));
  const start = "exec node infra/run.mjs start start --port 0 --api-port 0";
  const terminal = new Terminal(copy.start(start, { detached: true }));
  onTestFinished(() => terminal.stop());
  const text = await terminal.printed((printed) => printed.includes("Ctrl-C stops it"));
  const url = /Demo page +(http:\/\/127\.0\.0\.1:\d+\/)/.exec(text)?.[1];
  expect((await fetch(`${url}health?throw=1`)).status).toBe(500);
  const told = `worker/http/health.ts:${line.split("\n").length}:`;
  const place = /on purpose\\n {4}at \S.*/;
  expect(place.exec(await terminal.printed((printed) => place.test(printed)))?.[0]).toContain(told);
});
