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

/** A place in a text, such as a stack that stands in JSON. */
const PLACE = /file:\/\/\/([^\s"()\\]{1,500}?):(\d+):(\d+)/g;

/** How many maps are kept. One takes several times the size of its file. */
const MOST_MAPS = 32;

/** What is needed of a version. */
type Code = Pick<Version, "number" | "modules">;

/** Maps the frames of stacks. `versions`: those that may have thrown. */
export class Stacks {
  readonly #blob: (sha256: string) => Uint8Array;
  readonly #elsewhere: (sha256: string) => Uint8Array | undefined;
  /** The maps that were used last, by their hash; null for one that cannot be read. */
  readonly #maps = new Map<string, SourceMap | null>();

  /** `elsewhere`: the map of a module, by the module's hash, where none was uploaded with it. */
  constructor(
    blob: (sha256: string) => Uint8Array,
    elsewhere: (sha256: string) => Uint8Array | undefined = () => undefined,
  ) {
    this.#blob = blob;
    this.#elsewhere = elsewhere;
  }

  mapped(stack: string, versions: readonly Code[]): string {
    return stack
      .split("\n")
      .map((line) => this.#mappedLine(line, versions))
      .join("\n");
  }

  /** A text that a Worker has logged, with the places of its sources where their map is known. */
  placed(text: string, versions: readonly Code[]): string {
    return text.replace(PLACE, (place, file: string, row: string, column: string) => {
      const found = moduleOf(file, versions);
      return (found && this.#place(found, Number(row), Number(column))) ?? place;
    });
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
    const uploaded = modules.find(
      ({ name, contentType }) => name === `${module}.map` && bareType(contentType) === SOURCE_MAP,
    );
    const key = (uploaded ?? modules.find(({ name }) => name === module))?.sha256;
    if (key === undefined) return undefined;
    let map = this.#maps.get(key);
    if (map === undefined) {
      const bytes = uploaded ? this.#blob(key) : this.#elsewhere(key);
      // It may be there later.
      if (bytes === undefined) return undefined;
      map = read(bytes);
    }
    this.#keep(key, map);
    return map ?? undefined;
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
