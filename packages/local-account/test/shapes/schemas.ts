/**
 * JSON Schemas of Cloudflare's answers, made from the declarations of the official SDK (the package `cloudflare`) by
 * the TypeScript compiler. They are kept in `.cache/`, for this version of the package and this list of methods.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { VERSION } from "cloudflare/version";
import type { Schemas } from "./schema.ts";

const ROOT = path.resolve(import.meta.dirname, "../../../..");

/** The schemas of the whole answers of these methods. @throws Error if the SDK has no such method. */
export async function schemasOf(methods: readonly string[]): Promise<Schemas> {
  const maker = path.join(import.meta.dirname, "make-schemas.ts");
  const key = createHash("sha256")
    .update(JSON.stringify([VERSION, readFileSync(maker, "utf8"), methods]))
    .digest("hex")
    .slice(0, 16);
  const file = path.join(ROOT, ".cache/sdk-shapes", `${key}.json`);
  if (!existsSync(file)) {
    const { make } = await import("./make-schemas.ts");
    mkdirSync(path.dirname(file), { recursive: true });
    // Test files run at the same time: none may read a half-written file.
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(make(methods)));
    renameSync(draft, file);
  }
  return JSON.parse(readFileSync(file, "utf8"));
}
