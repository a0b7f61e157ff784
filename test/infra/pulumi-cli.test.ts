/** The Pulumi CLI as a command asks it. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { askPulumi } from "../../infra/apply/pulumi-cli.ts";
import { listStacks } from "../../infra/pull-request/stacks.ts";
import { engineResources } from "../../infra/stack/engine-file.ts";
import { scratch } from "../scratch.ts";

const bin = scratch();
afterEach(() => vi.unstubAllEnvs());

/** A CLI that runs this shell script. */
function install(script: string): void {
  const file = join(bin, "pulumi");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
}

describe("the CLI that is asked", () => {
  it("is named with where to get it, where it is not installed", () => {
    vi.stubEnv("PATH", "/nowhere");
    for (const ask of [() => engineResources("staging"), listStacks]) {
      expect(ask).toThrow(/^The Pulumi CLI is not installed: https:\/\/www\.pulumi\.com\/docs\/install\/$/);
    }
  });

  it("gives its code and both of its outputs", () => {
    install('echo "$*"; echo why >&2; exit 3');
    expect(askPulumi(["stack", "ls"])).toMatchObject({ status: 3, stdout: "stack ls\n", stderr: "why\n" });
  });

  it("may answer with more than a megabyte, as a large state is", () => {
    install("head -c 3000000 /dev/zero");
    expect(askPulumi(["stack", "export"]).stdout).toHaveLength(3_000_000);
  });
});

describe("a state that cannot be read", () => {
  it("is told with how its stack is made, where the backend has none", () => {
    install("echo \"error: no stack named 'staging' found\" >&2; exit 6");
    expect(() => engineResources("staging")).toThrow(
      /^The state of staging cannot be read: error: no stack .*\nWhere staging was never made: `pulumi stack init staging`\. .*recover\.md\. Its settings are in Pulumi\.staging\.yaml\.\nWhere .* is locked, .*$/,
    );
  });

  it("is told in the CLI's own words, where the stack may well be there", () => {
    install('echo "error: PULUMI_ACCESS_TOKEN must be set" >&2; exit 3');
    expect(() => engineResources("staging")).toThrow(
      /^The state of staging cannot be read: error: PULUMI_ACCESS_TOKEN must be set$/,
    );
  });
});
