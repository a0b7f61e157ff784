/**
 * Conditional and partial requests for a file that never changes, by RFC 9110 (13.2.2 and 14). The answer follows from
 * the file's entity tag and size. The file has no modification date, so conditions on one are ignored.
 */

/** A range of the file's bytes, including the last one. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** The status to answer, and the bytes of a 206. */
export type Decision = { readonly status: 200 | 304 | 412 | 416 } | { readonly status: 206; readonly part: Part };

interface File {
  /** The file's strong entity tag, in its quotes. */
  readonly etag: string;
  /** The file's size in bytes, at least one. */
  readonly size: number;
}

/** Decides how to answer a GET with these headers. */
export function decide(headers: Headers, file: File): Decision {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null && !lists(ifMatch, file.etag, "strong")) return { status: 412 };
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch !== null && lists(ifNoneMatch, file.etag, "weak")) return { status: 304 };
  const range = headers.get("Range");
  const ifRange = headers.get("If-Range");
  // A client that has another file, or does not say which, gets the whole file.
  if (range === null || (ifRange !== null && ifRange.trim() !== file.etag)) return { status: 200 };
  return partOf(range, file.size);
}

/** Whether a list of entity tags has this one. An invalid list has none. */
function lists(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}

/** The part that `Range` asks for. An unknown form, or several parts, gets the whole file, as the RFC allows. */
function partOf(range: string, size: number): Decision {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(range.trim()) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return { status: 200 };
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? { status: 416 } : { status: 206, part: { from: size - length, to: size - 1 } };
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return { status: 200 };
  if (from >= size) return { status: 416 };
  return { status: 206, part: { from, to: last === "" ? size - 1 : Math.min(Number(last), size - 1) } };
}
