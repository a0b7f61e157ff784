/** Where in the Worker's sources a place of its bundle is, for what workerd prints. Pure. */
import { SourceMap } from "node:module";
import { posix } from "node:path";
import type { Bundle } from "../release/bundle.ts";
import { MAIN_MODULE } from "../release/manifest.ts";

/** The folder that the map's sources are seen from (bundle.ts). */
const SEEN_FROM = "dist/release";

/**
 * A place of the bundle in a stack: `at index.js:55:11 in name` while a Worker starts, and later
 * `at name (file:///…/index.js:55:11)`, also within a line of JSON.
 */
const PLACE = new RegExp(
  String.raw`(?<=\bat |\basync |\()(?:file:///\S*?/)?${MAIN_MODULE.replaceAll(".", "\\.")}:(\d+):(\d+)(?: in (\S+))?`,
  "g",
);

export class Places {
  readonly #bytes: Uint8Array;
  #map: SourceMap | undefined;

  constructor({ sourceMap }: Pick<Bundle, "sourceMap">) {
    this.#bytes = sourceMap;
  }

  /** The text with the places of the bundle's main module as those of its sources. */
  in(text: string): string {
    return text.replaceAll(PLACE, (found, row: string, column: string, name?: string) => {
      const place = this.#of(Number(row), Number(column));
      if (place === undefined) return found;
      // esbuild calls the function around a module by its file.
      return name === undefined || place.startsWith(`${name}:`) ? place : `${place} in ${name}`;
    });
  }

  #of(row: number, column: number): string | undefined {
    // esbuild has just written it.
    this.#map ??= new SourceMap(JSON.parse(new TextDecoder().decode(this.#bytes)));
    const entry = this.#map.findEntry(row - 1, column - 1);
    // The nearest one before it may be of another line: what esbuild adds has none.
    if (!("originalSource" in entry) || entry.generatedLine !== row - 1) return undefined;
    return `${posix.join(SEEN_FROM, entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }
}
