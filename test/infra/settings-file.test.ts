/** A setting that is taken out of the file over the project's own is out of force, wherever else it stands. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { readProject } from "../../infra/stack/project.ts";
import { changeSetting, settingsFile, takeOut } from "../../infra/stack/settings-file.ts";
import { scratch } from "../scratch.ts";

const root = scratch();
const dir = join(root, "account");
const over = settingsFile("local", dir, root);
const own = join(root, "Pulumi.local.yaml");
writeFileSync(join(root, "Pulumi.yaml"), "name: shop\nmain: infra\n");
beforeEach(() => {
  rmSync(over, { force: true });
  changeSetting(over, "pin", 2, "shop");
});

const inForce = () => readProject(root, "local", over).config["shop:pin"];

it.each(["pin", "shop:pin"])("a pin that the project's own file has too (%s) is 0 over that", (key) => {
  const text = `config:\n  ${key}: 1\n`;
  writeFileSync(own, text);
  expect(takeOut({ stack: "local", dir, root }, "pin", 0)).toBe(`pin is 0 in ${over}, over that in ${own}`);
  expect(inForce()).toBe("0");
  expect(readFileSync(own, "utf8")).toBe(text);
});

it("a pin that stands in the file alone is gone from it", () => {
  writeFileSync(own, "config:\n  rollout: 10\n");
  expect(takeOut({ stack: "local", dir, root }, "pin", 0)).toBe(`The pin is out of ${over}`);
  expect(inForce()).toBeUndefined();
  expect(readFileSync(over, "utf8")).not.toContain("pin");
});

it("of a stack with one file it is gone from that", () => {
  const file = settingsFile("staging", dir, root);
  writeFileSync(file, "config:\n  pin: 1\n  rollout: 10\n");
  expect(takeOut({ stack: "staging", dir, root }, "pin", 0)).toBe(`The pin is out of ${file}`);
  expect(readFileSync(file, "utf8")).toBe("config:\n  rollout: 10\n");
});
