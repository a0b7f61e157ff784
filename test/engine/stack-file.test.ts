/** A stack's file as the real CLI hands it to a program, and as commands read it: versions' tags are made of it. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writtenYaml } from "../../infra/common/yaml-file.ts";
import { readProject } from "../../infra/stack/project.ts";
import { Ground } from "./ground.ts";

let ground: Ground;
let root: string;
let salt: string;
beforeAll(async () => {
  ground = await Ground.make();
  root = ground.folder("shop");
  const declared = "{ b: { default: { d: 1, c: 2 } }, n: 7 }";
  writeFileSync(join(root, "Pulumi.yaml"), `name: shop\nruntime: nodejs\nconfig: ${declared}\n`);
  pulumi("stack", "init", "staging");
  salt = /^encryptionsalt: .*\n/m.exec(readFileSync(file(), "utf8"))?.[0] ?? "";
});
afterAll(() => ground?.remove());

const file = () => join(root, "Pulumi.staging.yaml");
const pulumi = (...args: readonly string[]): string =>
  execFileSync("pulumi", args, { cwd: root, env: ground.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const Config = v.record(v.string(), v.object({ value: v.string() }));

/** The settings as the program gets them, and as a command does, parsed as both parse them; and what is refused. */
function both(config: string) {
  writeFileSync(file(), `${salt}config:\n${config}`);
  const handed = v.parse(v.pipe(v.string(), v.parseJson(), Config), pulumi("config", "--json", "--stack", "staging"));
  const { config: read, unread } = readProject(root, "staging");
  const parsed = (text: string): unknown => {
    try {
      // In the order of its keys, which JSON keeps.
      return JSON.stringify(JSON.parse(text));
    } catch {
      return text;
    }
  };
  const program = Object.fromEntries(Object.entries(handed).map(([key, { value }]) => [key, parsed(value)]));
  const command = Object.fromEntries(Object.entries(read).map(([key, value]) => [key, parsed(value)]));
  return { program, command, unread: unread.map(({ key }) => key) };
}

it("is the same to both, in whatever order its keys stand and however its values are written", () => {
  const { program, command, unread } = both(`  counter: { shards: { likes: 8, eu~visits: 100 } }
  rateLimits: { writes: { perMinute: 5, burst: 1 }, reads: { burst: 2, perMinute: 9 } }
  bind: { ﬀ: a, 😀: b, é: c, "10": d, "9": e, true: f, <a&b>: g }
  vars: { z: [{ y: ~, x: "\\u2028" }], yes: yes, on: off, hex: 0x10, oct: 0o17, dec: 089, exp: 1e21, small: 1e-7, f: 1.0 }
  more: { minus: -0.0, dot: .5, end: 5., plus: +12, sexagesimal: 1:30, quoted: "010", text: !!str 1_000, big: 1e300 }
  texts: { none: 2024-13-01, utc: 2024-01-01 00:00:00 +0000 UTC, zone: 2024-01-01 10:00:00+02:00, under: _1, v: v1_2 }
  block: |
    one
    two
  nothing: ~
  number: 1.50
  flag: TRUE
  list: [b, a]
`);
  expect(unread).toEqual([]);
  expect(command).toEqual(program);
});

it("is told where it is another one to the program", () => {
  const values = [
    "2024-01-01",
    "2024-01-01T10:00:00Z",
    "010",
    "-017",
    "1_000",
    "0b11",
    "-0x10",
    "0X1F",
    "1_0.5",
    "0_7",
  ];
  const { program, command, unread } = both(values.map((value, i) => `  key${i}: { it: ${value} }\n`).join(""));
  const others = Object.keys(program).filter((key) => program[key] !== command[key]);
  expect(others).toEqual(values.map((_, i) => `shop:key${i}`));
  expect(unread).toEqual(values.map((_, i) => `key${i}.it`));
});

it("is the same to both where a command has written it", () => {
  const texts = ["2024-01-01", "010", "1_000", "0b11", "0o17", "0X1F", "yes", "~", "1e3", "a: b", "two\nlines"];
  const config = {
    texts,
    keys: { "2024-01-01": 1, "010": 2, yes: 3, "1_000": 4 },
    numbers: [1, 1e21, 0.5],
    none: null,
  };
  const { program, command, unread } = both(writtenYaml(config).replaceAll(/^/gm, "  "));
  expect(unread).toEqual([]);
  expect(command).toEqual(program);
  expect(program["shop:texts"]).toBe(JSON.stringify(texts));
});
