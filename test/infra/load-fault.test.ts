/** A file of the project that cannot be loaded: every command that imports it says which line is wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ProjectCopy } from "../project-copy.ts";

describe("a file of the project that cannot be loaded", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
    copy.commit("v1");
  });
  afterEach(() => copy.reset());
  afterAll(() => copy?.remove());
  const MERGED = "<<<<<<< HEAD\nexport const a = 1;\n=======\nexport const a = 2;\n>>>>>>> theirs\n";
  const atTop = (file: string, text: string) => copy.write(file, text + copy.read(file));

  it.each(["migrations lint", "build", "start start --into .local"])("is told by what imports it: %s", async (line) => {
    atTop("worker/patterns.ts", MERGED);
    expect(await copy.run(`node infra/run.mjs ${line}`)).toEqual({
      code: 1,
      text:
        "worker/patterns.ts:1: git could not merge this. Keep what is right of both sides, and take its marks (<<<<<<<, =======, >>>>>>>) out.\n" +
        "  <<<<<<< HEAD\n",
    });
  });

  it.each([
    ["const = 1;", "Unexpected token `=`. Expected yield, an identifier, [ or {"],
    // V8 alone finds it: two branches that have added the same import.
    [
      'import { pattern } from "../pattern.ts"; import { pattern } from "../pattern.ts";',
      "Identifier 'pattern' has already been declared",
    ],
    [
      'import { none } from "../pattern.ts";',
      "The requested module '../pattern.ts' does not provide an export named 'none'",
    ],
    ['import "./gone.ts";', "Cannot find module 'worker/counter/gone.ts'"],
  ])("is told with the line and what is wrong there: %s", async (line, said) => {
    atTop("worker/counter/pattern.ts", `\n${line}\n`);
    expect(await copy.run("node infra/run.mjs migrations lint")).toEqual({
      code: 1,
      text: `worker/counter/pattern.ts:2: ${said}. Correct it there.\n  ${line}\n`,
    });
  });

  it("is told where a package is missing, with how it comes", async () => {
    atTop("worker/counter/pattern.ts", 'import "no-such-package";\n');
    expect((await copy.run("node infra/run.mjs build")).text).toBe(
      "worker/counter/pattern.ts:1: Cannot find package 'no-such-package'. Run: npm ci\n  import \"no-such-package\";\n",
    );
  });

  it("is told where it is loaded by name", async () => {
    atTop("test/counter/cost.ts", MERGED);
    const { code, text } = await copy.run("node infra/run.mjs cost --requests 1M");
    expect({ code, text }).toEqual({
      code: 1,
      text: expect.stringMatching(/^test\/counter\/cost\.ts:1: git .*\n.*\n$/),
    });
  });

  it("is told where it is the program's, by the exit code to which Pulumi adds nothing", async () => {
    atTop("infra/index.ts", MERGED);
    const told = expect.stringMatching(/^infra\/index\.ts:1: git could not merge this\. .*\n {2}<<<<<<< HEAD\n$/);
    expect(await copy.run(`node -e 'import("./infra/index.mjs").then((program) => program.default())'`)).toEqual({
      code: 32,
      text: told,
    });
    const { code, text } = await copy.run("node infra/run.mjs start start --port 0 --api-port 0");
    expect(text).toMatch(/\ninfra\/index\.ts:1: git could not merge this\. .*\n {2}<<<<<<< HEAD\n$/);
    expect(code).toBe(1);
  });

  it("is a bug, and no mistake in a file, where its code has thrown", async () => {
    atTop("worker/patterns.ts", 'JSON.parse("{");\n');
    const { code, text } = await copy.run("node infra/run.mjs build");
    expect(text).toMatch(/\n\s+at JSON\.parse /);
    expect(code).not.toBe(0);
  });
});
