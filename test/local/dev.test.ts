/** `npm run dev`: a change of the Worker or of its page is served at the next request. It ends where it cannot start. */
import { once } from "node:events";
import { renameSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as v from "valibot";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { listening } from "../../packages/local-account/test/listening.ts";
import { freePort } from "../free-port.ts";
import { ProjectCopy } from "../project-copy.ts";
import { Terminal } from "../terminal.ts";

/** The goal is a second on an idle machine. This limit is for a busy one. */
const PATIENCE_MS = 60_000;

const ENTRY = "worker/http/problem.ts";

let project: ProjectCopy;
let terminal: Terminal;
let url: string;
let inspectorPort: number;
/** What it printed until it was ready. */
let said: string;
/** What it had at the start. */
let entry: string;
beforeAll(async () => {
  project = new ProjectCopy();
  // What asks until a change is there must not be stopped by the rate limiter.
  project.replace("wrangler.jsonc", '"periodSeconds": 60', '"periodSeconds": 1');
  entry = project.read(ENTRY);
  inspectorPort = await freePort();
  const dev = `exec node infra/commands/dev.ts --port 0 --inspector-port ${inspectorPort}`;
  // As in a container: a home in which nothing can be made.
  const env = { HOME: join(project.root, "package.json"), XDG_CONFIG_HOME: "" };
  terminal = new Terminal(project.start(dev, { detached: true, env }));
  said = await terminal.printed((text) => /Ready on \S+\n/.test(text));
  const [, ready] = /Ready on (\S+)\n/.exec(said) ?? [];
  if (ready === undefined) throw new Error(said);
  url = ready;
});
afterAll(async () => {
  await terminal?.stop();
  project?.remove();
});

it("says nothing of a home that cannot be written", () => {
  expect(said).toMatch(/^Ready on /);
});

const ask = async (path: string): Promise<string> => {
  try {
    const answer = await fetch(new URL(path, url));
    return await answer.text();
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
    await pause(100);
  }
  return performance.now() - begun;
}

/** The answer to a request under a name that is not this machine's, or is. */
async function asked(host: string, headers: Readonly<Record<string, string>> = {}) {
  const { port } = new URL(url);
  const sent = request(url, { headers: { host: host.replace("PORT", port), ...headers } }).end();
  const [answer]: IncomingMessage[] = await Promise.race([once(sent, "response"), once(sent, "upgrade")]);
  if (answer === undefined) throw new Error("no answer");
  let text = "";
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode, text };
}

it("answers by the names of this machine, and by no other, which a site could give it", async () => {
  for (const host of ["localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "LocalHost", "app.localhost:PORT"])
    expect(await asked(host), host).toMatchObject({ status: 200, text: expect.stringContaining("<html") });
  const socket = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  for (const headers of [
    {},
    { ...socket, "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==" },
    // By these Miniflare goes elsewhere, or names another address.
    { "mf-route-override": "dev" },
    { "mf-original-url": "http://localhost/" },
    { "x-forwarded-host": "localhost" },
  ])
    for (const host of ["evil.example:PORT", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"])
      expect(await asked(host, headers), host).toEqual({
        status: 403,
        text: `npm run dev answers as localhost, 127.0.0.1, [::1] and *.localhost only, not as '${host.replace(/:PORT$/, "")}': a page of that name could read and change the data. Open its address as it printed it.\n`,
      });
});

/** Whether a debugger that comes from there is answered. */
async function debugs(headers: Readonly<Record<string, string>>): Promise<boolean> {
  const listed = await fetch(`http://127.0.0.1:${inspectorPort}/json`);
  const [worker] = v.parse(v.array(v.object({ webSocketDebuggerUrl: v.string() })), await listed.json());
  const socket = new WebSocket(worker?.webSocketDebuggerUrl ?? "", { headers });
  socket.once("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.enable" })));
  const isAnswered = await Promise.race([
    once(socket, "message").then(() => true),
    once(socket, "close").then(() => false),
  ]);
  socket.terminate();
  return isAnswered;
}

it("lets a debugger of this machine attach, and no site", async () => {
  expect(await debugs({})).toBe(true);
  expect(await debugs({ origin: "https://evil.example" })).toBe(false);
  expect(await debugs({ origin: `http://localhost:${inspectorPort}`, host: "evil.example" })).toBe(false);
});

it("serves a change of the Worker and one of the page, and goes on after a change that does not build", async () => {
  const worker = { file: ENTRY, from: '"Not found"', to: '"Found nowhere"' };
  const page = { file: "worker/page/index.html", from: "<main ", to: "<main data-changed " };
  const took = [await reload(worker, "/nowhere"), await reload(page, "/")];
  console.info(`a change of the Worker: ${Math.round(took[0] ?? 0)} ms, of the page: ${Math.round(took[1] ?? 0)} ms`);
  project.write(ENTRY, "this is not TypeScript");
  const said = await terminal.printed((text) => text.includes("What ran before goes on."));
  expect(said).toContain(`${ENTRY}:1`);
  expect(await ask("/nowhere")).toContain("Found nowhere");
});

/** Saves as many editors do: another file takes the place of the one that was there. */
function saveByRename(file: string, text: string): void {
  project.write(`${file}.saved`, text);
  renameSync(join(project.root, `${file}.saved`), join(project.root, file));
}

const BROKEN = "this is not TypeScript";

/** Waits until the server has told of an error there. */
const told = async (place: string) => expect(await terminal.printed((text) => text.includes(place))).toContain(place);

it("hears of each save that puts another file in the place of the old one", async () => {
  for (const line of [2, 3, 4]) {
    saveByRename(ENTRY, `${"\n".repeat(line - 1)}${BROKEN}`);
    await told(`${ENTRY}:${line}: `);
  }
});

it("hears of a file in a folder that is new", async () => {
  const file = "worker/made/later/index.ts";
  project.write(ENTRY, `import "../made/later/index.ts";\n${entry}`);
  await told('Could not resolve "../made/later/index.ts"');
  project.write(file, BROKEN);
  await told(`${file}:1: `);
  saveByRename(file, `\n${BROKEN}`);
  await told(`${file}:2: `);
});

it("says where wrangler.jsonc is broken, after each save", async () => {
  for (const line of [2, 3, 4]) {
    saveByRename("wrangler.jsonc", `${"\n".repeat(line - 1)}{ name: 1 }`);
    await told(`wrangler.jsonc:${line}:3: this is no word of JSON: keys and texts stand in double quotes.`);
  }
});

it("applies a change that is saved while it starts, after the Worker was bundled", async () => {
  const fresh = new ProjectCopy();
  const text = entry.replace('"Not found"', '"Found late"');
  // Saves when workerd starts, which is after the first bundle.
  fresh.write(
    "saving.mjs",
    `import children from "node:child_process";
    import { writeFileSync } from "node:fs";
    const { spawn } = children;
    children.spawn = (program, ...rest) => {
      if (program.includes("workerd")) {
        writeFileSync(${JSON.stringify(ENTRY)}, ${JSON.stringify(text)});
        children.spawn = spawn;
      }
      return spawn(program, ...rest);
    };`,
  );
  const dev = "exec node --import ./saving.mjs infra/commands/dev.ts --port 0 --inspector-port 0";
  const other = new Terminal(fresh.start(dev, { detached: true }));
  onTestFinished(async () => {
    await other.stop();
    fresh.remove();
  });
  const said = await other.printed((printed) => /Ready on \S+\n/.test(printed));
  expect(fresh.read(ENTRY)).toBe(text);
  const [, at = ""] = /Ready on (\S+)\n/.exec(said) ?? [];
  const answer = async () => (await fetch(new URL("/nowhere", at))).text();
  // No more often than the rate limiter lets through.
  await expect.poll(answer, { interval: 500 }).toContain("Found late");
});

it.each(["--port", "--inspector-port"])("ends with a sentence where the port of %s is in use", async (option) => {
  const other = createServer();
  const port = await listening(other);
  const ports = Object.entries({ "--port": 0, "--inspector-port": 0, [option]: port }).flat();
  const fresh = new ProjectCopy();
  const { code, text } = await fresh.run(`exec node infra/commands/dev.ts ${ports.join(" ")}`);
  fresh.remove();
  other.close();
  expect({ code, text }).toEqual({
    code: 1,
    text: `Port ${port} is in use. Choose another with ${option}, or 0 for any free one.\n`,
  });
});

it("ends where the Worker does not build at the start", async () => {
  const fresh = new ProjectCopy();
  fresh.write(ENTRY, BROKEN);
  const { code, text } = await fresh.run("exec node infra/commands/dev.ts --port 0 --inspector-port 0");
  fresh.remove();
  expect(text).toContain(`${ENTRY}:1: `);
  expect(code).toBe(1);
});
