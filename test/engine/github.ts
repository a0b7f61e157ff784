/**
 * GitHub as the workflows of pull requests see it: a `gh` that answers out of a folder, and what it was told. It knows
 * the calls that they make, and fails at any other.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import * as v from "valibot";
import { Comment } from "../../infra/pull-request/post.ts";

/** Answers from the files beside it: `routes.json` maps a method and a path to a file; comments are kept in one. */
const GH = `#!/usr/bin/env node
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const file = (name) => join(__dirname, name);
const read = (name) => JSON.parse(readFileSync(file(name), "utf8"));
const args = process.argv.slice(2);
const say = (value) => process.stdout.write(JSON.stringify(value));
const method = args.includes("-X") ? args[args.indexOf("-X") + 1] : "GET";
const path = args.slice(1).find((arg, i, all) => !arg.startsWith("-") && all[i - 1] !== "-X" && all[i - 1] !== "-f");
const route = args[0] === "api" ? method + " " + path.replace(/[?].*/, "") : args.slice(0, 2).join(" ");
const fields = args.flatMap((arg, i) => (arg === "-f" ? [args[i + 1]] : []));
writeFileSync(file("asked.txt"), [route, ...fields].join(" ") + "\\n", { flag: "a" });
const routes = read("routes.json");
const [, issue] = /issues\\/(\\d+)\\/comments$/.exec(route) ?? [];
const [, edited] = /^PATCH .*issues\\/comments\\/(\\d+)$/.exec(route) ?? [];
if (routes[route]) process.stdout.write(readFileSync(file(routes[route])));
else if (issue && method === "GET") say([read("comments.json").filter((one) => one.issue === Number(issue))]);
else if (issue || edited) {
  const { body } = JSON.parse(readFileSync(0, "utf8"));
  const comments = read("comments.json");
  const one = comments.find(({ id }) => id === Number(edited));
  if (one) one.body = body;
  else comments.push({ id: comments.length + 1, issue: Number(issue), body, user: { login: "github-actions[bot]", type: "Bot" } });
  writeFileSync(file("comments.json"), JSON.stringify(comments));
} else {
  console.error("no such route: " + route);
  process.exit(1);
}
`;

const Kept = v.array(v.object({ ...Comment.entries, issue: v.number() }));
export type KeptComment = v.InferOutput<typeof Kept>[number];

export class GitHub {
  readonly #dir: string;
  #routes: Readonly<Record<string, string>> = {};
  #answers = 0;

  /** @param dir an empty folder. */
  constructor(dir: string) {
    this.#dir = dir;
    writeFileSync(this.program, GH);
    chmodSync(this.program, 0o755);
    // The project around it may be of another kind.
    this.#write("package.json", { type: "commonjs" });
    this.comments = [];
    this.#write("routes.json", {});
  }

  /** The file to put on the PATH as `gh`. */
  get program(): string {
    return join(this.#dir, "gh");
  }

  /** What `gh api` answers to this method and path, or what another command prints. */
  answer(route: string, value: unknown): void {
    const name = `answer-${this.#answers++}`;
    if (value instanceof Uint8Array) writeFileSync(join(this.#dir, name), value);
    else this.#write(name, value);
    this.#routes = { ...this.#routes, [route]: name };
    this.#write("routes.json", this.#routes);
  }

  /** The artifacts of a run, each with its files. */
  artifacts(run: number, artifacts: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>): void {
    const listed = Object.entries(artifacts).map(([name, files], i) => {
      const id = run * 100 + i;
      const archive = zipSync({ ...files });
      this.answer(`GET repos/me/it/actions/artifacts/${id}/zip`, archive);
      return { id, name, size_in_bytes: archive.byteLength };
    });
    this.answer(`GET repos/me/it/actions/runs/${run}/artifacts`, { artifacts: listed });
  }

  get comments(): readonly KeptComment[] {
    return v.parse(v.pipe(v.string(), v.parseJson(), Kept), readFileSync(join(this.#dir, "comments.json"), "utf8"));
  }

  set comments(comments: readonly KeptComment[]) {
    this.#write("comments.json", comments);
  }

  /** What was asked since the last time, a line each. */
  asked(): string {
    const file = join(this.#dir, "asked.txt");
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    rmSync(file, { force: true });
    return text;
  }

  #write(name: string, value: unknown): void {
    mkdirSync(this.#dir, { recursive: true });
    writeFileSync(join(this.#dir, name), JSON.stringify(value));
  }
}
