/** Turns the frames of a Worker's stack into places of its sources, with the source maps that were uploaded with it. */
import { SourceMap, type SourceMapPayload } from "node:module";
import path from "node:path";
import * as v from "valibot";
import type { Version } from "./model.ts";
import { bareType, SOURCE_MAP } from "./upload.ts";

/** The parts of a source map (version 3) that are needed here. */
const Payload = v.looseObject({
  version: v.literal(3),
  mappings: v.string(),
  sources: v.array(v.nullable(v.string())),
  names: v.optional(v.array(v.string()), []),
  sourceRoot: v.optional(v.nullable(v.string())),
});

/** `at name (file:///…/index.js:3:25)`, with or without a name. */
const FRAME = /^(\s+at )(?:(.*) \()?file:\/\/\/(.+?):(\d+):(\d+)\)?$/;

/** How many maps are kept. One takes several times the size of its file. */
const MOST_MAPS = 32;

/** What is needed of a version. */
type Code = Pick<Version, "number" | "modules">;

/** Maps the frames of stacks. `versions`: those that may have thrown. */
export class Stacks {
  readonly #blob: (sha256: string) => Uint8Array;
  /** The maps that were used last, by their hash; null for one that cannot be read. */
  readonly #maps = new Map<string, SourceMap | null>();

  constructor(blob: (sha256: string) => Uint8Array) {
    this.#blob = blob;
  }

  mapped(stack: string, versions: readonly Code[]): string {
    return stack
      .split("\n")
      .map((line) => this.#mappedLine(line, versions))
      .join("\n");
  }

  #mappedLine(line: string, versions: readonly Code[]): string {
    const [, at = "", name, file = "", row, column] = FRAME.exec(line) ?? [];
    const found = row === undefined ? undefined : moduleOf(file, versions);
    if (found === undefined) return line;
    const place = this.#place(found, Number(row), Number(column)) ?? `${found.module}:${row}:${column}`;
    return name === undefined ? `${at}${place}` : `${at}${name} (${place})`;
  }

  #place({ version, module }: Found, row: number, column: number): string | undefined {
    const map = this.#mapOf(version, module);
    const entry = map?.findEntry(row - 1, column - 1);
    if (entry === undefined || !("originalSource" in entry) || entry.originalSource == null) return undefined;
    const source = path.posix.normalize(entry.originalSource).replace(/^(\.\.\/)+/, "");
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }

  #mapOf({ modules }: Code, module: string): SourceMap | undefined {
    const maps = modules.filter(({ contentType }) => bareType(contentType) === SOURCE_MAP);
    const map = maps.find(({ name }) => name === `${module}.map`);
    if (map === undefined) return undefined;
    const kept = this.#maps.get(map.sha256);
    const known = kept === undefined ? read(this.#blob(map.sha256)) : kept;
    this.#keep(map.sha256, known);
    return known ?? undefined;
  }

  /** As the one that was used last. The one that was not used for longest goes if there are too many. */
  #keep(sha256: string, map: SourceMap | null): void {
    this.#maps.delete(sha256);
    this.#maps.set(sha256, map);
    const [first] = this.#maps.keys();
    if (first !== undefined && this.#maps.size > MOST_MAPS) this.#maps.delete(first);
  }
}

interface Found {
  readonly version: Code;
  readonly module: string;
}

/**
 * The module with this path. The runtime puts the current folder in front of it, and in a split a folder of the version's
 * number (runtime/projection.ts). The current one may look like that, so it counts only if several versions may be meant.
 */
function moduleOf(file: string, versions: readonly Code[]): Found | undefined {
  const found = versions.flatMap((version): Found[] => {
    const named = version.modules.filter(({ name }) => file === name || file.endsWith(`/${name}`));
    const module = named.sort((a, b) => b.name.length - a.name.length)[0]?.name;
    return module === undefined ? [] : [{ version, module }];
  });
  const isIn = ({ version, module }: Found) => `/${file}`.endsWith(`/v${version.number}/${module}`);
  return found.length < 2 ? found[0] : found.find(isIn);
}

function read(bytes: Uint8Array): SourceMap | null {
  try {
    const payload = v.parse(Payload, JSON.parse(new TextDecoder().decode(bytes)));
    const whole: SourceMapPayload = {
      file: "",
      sourcesContent: [],
      ...payload,
      version: 3,
      sourceRoot: payload.sourceRoot ?? "",
      sources: payload.sources.map((source) => source ?? ""),
    };
    return new SourceMap(whole);
  } catch {
    return null;
  }
}
