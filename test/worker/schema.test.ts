/** Versions of an object's schema, with the storage of real objects. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { Schema } from "../../worker/objects/schema.ts";
import { patterns } from "../../worker/patterns.ts";
import { unique } from "./helpers.ts";

const STEPS = [
  "CREATE TABLE notes (text TEXT)",
  "ALTER TABLE notes ADD COLUMN at INTEGER NOT NULL DEFAULT 7; CREATE TABLE tags (tag TEXT)",
  "CREATE TABLE links (link TEXT)",
];

const [{ binding }] = patterns;

/** Runs `work` on the storage of an object that no pattern has used. */
const onStorage = (work: (storage: DurableObjectStorage) => void) =>
  runInDurableObject(env[binding].getByName(unique()), (_, { storage }) => work(storage));

const tables = ({ sql }: DurableObjectStorage) =>
  sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master ORDER BY name")
    .toArray()
    .map(({ name }) => name);

describe("a schema", () => {
  it("leaves an object empty until it is first written", () =>
    onStorage((storage) => {
      const schema = new Schema(storage, { schema: STEPS });
      expect([schema.empty, tables(storage)]).toEqual([true, []]);
      schema.create();
      expect([schema.empty, tables(storage)]).toEqual([false, ["links", "notes", "schema_version", "tags"]]);
    }));

  it("catches up when an object wakes two releases later, and keeps its data", () =>
    onStorage((storage) => {
      new Schema(storage, { schema: STEPS.slice(0, 1) }).create();
      storage.sql.exec("INSERT INTO notes VALUES ('kept')");
      expect(new Schema(storage, { schema: STEPS }).empty).toBe(false);
      expect(storage.sql.exec("SELECT * FROM notes").toArray()).toEqual([{ text: "kept", at: 7 }]);
      expect(tables(storage)).toContain("links");
    }));

  it("stays completely at its version if a step fails, and the next release can repair it", () =>
    onStorage((storage) => {
      new Schema(storage, { schema: STEPS.slice(0, 1) }).create();
      const broken = [...STEPS.slice(0, 1), "CREATE TABLE half (a TEXT)", "CREATE TABLE nonsense ("];
      const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const schema = new Schema(storage, { schema: broken });
      expect(logged.mock.lastCall?.join(" ")).toContain("from version 1 to 3");
      logged.mockRestore();
      expect(tables(storage)).toEqual(["notes", "schema_version"]);
      // What is there can be read; only a change is refused.
      expect([schema.empty, schema.isCurrent]).toEqual([false, false]);
      expect(() => schema.create()).toThrow(/incomplete input/);
      new Schema(storage, { schema: STEPS });
      expect(tables(storage)).toContain("tags");
    }));

  it("does not change a newer schema, so that a rollback can use it", () =>
    onStorage((storage) => {
      new Schema(storage, { schema: STEPS }).create();
      new Schema(storage, { schema: STEPS.slice(0, 2) }).create();
      new Schema(storage, { schema: STEPS }).create();
      expect(tables(storage)).toContain("links");
    }));
});
