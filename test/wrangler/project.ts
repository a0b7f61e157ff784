/** A project for real wrangler: a folder with its configuration and files, and functions to use it. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestAccount } from "../../packages/local-account/test/support.ts";
import { type Ended, wrangler } from "./wrangler.ts";

interface Project {
  readonly folder: string;
  readonly run: (...args: string[]) => Promise<Ended>;
  /** Runs the command. Fails with its output unless it succeeds. */
  readonly ok: (args: string, input?: string) => Promise<string>;
  /** The text of the Worker's answer. */
  readonly ask: (at?: string) => Promise<string>;
  /** Writes a file, and creates its folders. */
  readonly write: (name: string, contents: string | Uint8Array) => void;
}

export type Projects = (
  config: { readonly name: string } & Record<string, unknown>,
  files: Record<string, string | Uint8Array>,
) => Project;

/** Writes projects into folders with their names below `dir`. Files are given as text or bytes. */
export const projectsIn =
  (dir: string, test: TestAccount): Projects =>
  (config, files) => {
    const folder = path.join(dir, config.name);
    const write = (name: string, contents: string | Uint8Array) => {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, contents);
    };
    const defaults = { main: "index.js", compatibility_date: "2026-11-01", workers_dev: true, preview_urls: true };
    write("wrangler.json", JSON.stringify({ ...defaults, ...config }));
    for (const [name, contents] of Object.entries(files)) write(name, contents);
    return {
      folder,
      write,
      run: (...args) => wrangler(test.running, folder, args),
      async ok(args, input = "") {
        const { code, text } = await wrangler(test.running, folder, args.split(" "), input);
        if (code !== 0) throw new Error(`wrangler ${args} ended with ${code}:\n${text}`);
        return text;
      },
      ask: async (at = "/") => (await test.ask(config.name, at)).text,
    };
  };
