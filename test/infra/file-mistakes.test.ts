/** A file of the project with a mistake in it: every command that needs it says where. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { patterns } from "../../worker/patterns.ts";
import { ProjectCopy } from "../project-copy.ts";

describe("a file of the project with a mistake in it", () => {
  let copy: ProjectCopy;
  beforeAll(() => {
    copy = new ProjectCopy();
    copy.commit("v1");
  });
  afterEach(() => copy.reset());
  afterAll(() => copy?.remove());
  const answerTo = async (command: string) => {
    const { code, text } = await copy.run(`node infra/commands/${command}`, {
      env: { CLOUDFLARE_ACCOUNT_ID: "0".repeat(32), CLOUDFLARE_API_TOKEN: "none" },
    });
    return { command, code, text: text.trim() };
  };

  it.each([
    [".create(", ".create((", /^infra\/migrations\.ts:\d+: \S.*\. Correct it there\.\n {2}\S.*$/],
    ["export const", "undefined.name;\nexport const", /^infra\/migrations\.ts:8: Cannot read properties of undefined/],
    [
      '@durable-stack/class-lifecycle";',
      '@durable-stack/class-lifecycle";\nimport "./gone.ts";',
      /^infra\/migrations\.ts:\d+: Cannot find module 'infra\/gone\.ts'/,
    ],
    [
      "history } from",
      "histori as history } from",
      /^infra\/migrations\.ts:6: The requested module .* does not provide an export named 'histori'/,
    ],
    ["const { migrations }", "const { migrations: other }", /^infra\/migrations\.ts exports no `migrations`/],
  ])("is told with its line by what needs the history: %s -> %s", async (from, to, said) => {
    copy.replace("infra/migrations.ts", from, to);
    for (const command of ["migrations.ts lint", "build.ts", "pattern.ts check"])
      expect(await answerTo(command)).toEqual({ command, code: 1, text: expect.stringMatching(said) });
    expect(await answerTo("migrations.ts --help")).toMatchObject({ code: 0 });
  });

  it("is not built where its lock file is gone, or has another past", async () => {
    expect((await copy.run("rm infra/migrations.lock")).code).toBe(0);
    const missing =
      /^The history of the classes has errors:\n\[lock_missing\] infra\/migrations\.lock: .*migrations -- lock/;
    expect(await answerTo("build.ts")).toMatchObject({ code: 1, text: expect.stringMatching(missing) });
    expect(await answerTo("migrations.ts lock")).toMatchObject({ code: 0 });
    expect(await answerTo("build.ts")).toMatchObject({ code: 0 });
    copy.replace("infra/migrations.ts", '.step("0001-', '.step("0001-other-');
    expect(await answerTo("build.ts")).toMatchObject({ code: 1, text: expect.stringContaining("[lock_past_changed]") });
  });

  it("is linted with the number of its warnings", async () => {
    const lint = "migrations.ts lint";
    expect((await answerTo(lint)).text).toMatch(/^\d+ steps?, no errors, no warnings$/);
    const steps =
      '.step("9997-a", (classes) => classes.create("Again")).step("9998-b", (classes) => classes.rename("Again", "Other")).step("9999-c", (classes) => classes.create("Again"))';
    copy.write("infra/migrations.ts", copy.read("infra/migrations.ts").replace(/;\s*$/, `${steps};\n`));
    expect(await answerTo("migrations.ts lock")).toMatchObject({ code: 0 });
    expect(await answerTo(lint)).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^warning \[class_name_reused\] .*\n\d+ steps, no errors, 1 warning$/),
    });
  });

  it("is told with its line where it is a stack's, and repeats none of it", async () => {
    copy.replace("infra/migrations.ts", ".create(", ".create((");
    const commands = [
      "migrations.ts lock",
      "migrations.ts status",
      "rollout.ts status --stack staging",
      "init.ts --name x --dry-run",
      "pattern.ts remove chat --dry-run",
    ];
    for (const command of commands)
      expect(await answerTo(command)).toMatchObject({ code: 1, text: expect.not.stringMatching(/\n\s+at /) });
    copy.reset();
    copy.write("Pulumi.staging.yaml", "config:\n  adminToken: secret: of mine\n");
    const line = `${join(copy.root, "Pulumi.staging.yaml")}:2 is not YAML: Nested mappings are not allowed in compact mappings. Correct it there.`;
    for (const command of ["drift.ts", "rollback.ts --list", "recover.ts", "destroy.ts", "rollout.ts status"])
      expect(await answerTo(`${command} --stack staging`)).toMatchObject({ code: 1, text: line });
  });

  it("is refused where it is a stack's with a setting beside its config, which Pulumi would ignore", async () => {
    copy.write("Pulumi.staging.yaml", `${copy.read("Pulumi.staging.yaml")}allowDestroy: [${patterns[0].class}]\n`);
    const line = /Pulumi\.staging\.yaml:\d+: allowDestroy stands beside `config:`, .* move it under `config:`/;
    for (const command of ["migrations.ts plan", "drift.ts"])
      expect(await answerTo(`${command} --stack staging`)).toMatchObject({
        code: 1,
        text: expect.stringMatching(line),
      });
    copy.write("Pulumi.local.yaml", `${copy.read("Pulumi.local.yaml")}pin: 1\n`);
    expect(await answerTo("start.ts start --port 0 --api-port 0")).toMatchObject({
      code: 1,
      text: expect.stringMatching(/Pulumi\.local\.yaml:\d+: pin stands beside /),
    });
  });
});
