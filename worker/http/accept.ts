/** The media type or coding of an answer, by the caller's `Accept` or `Accept-Encoding` (RFC 9110, 12.5). Plain logic. */

/** The one of these types that the caller wants most; the first if the header names none of them. */
export function wantedOf(accept: string, types: readonly string[]): string {
  const ranges = accept.split(",").map((written) => {
    const [range = "", ...parameters] = written.split(";").map((part) => part.trim().toLowerCase());
    const weight = Number(parameters.find((each) => each.startsWith("q="))?.slice(2) ?? 1);
    return { range, weight };
  });
  const refused = new Set(ranges.filter(({ weight }) => weight === 0).map(({ range }) => range));
  // Of those that are wanted as much, a type is wanted before a range of types.
  const found = ranges
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight || Number(isWide(a.range)) - Number(isWide(b.range)))
    .flatMap(({ range }) => types.find((type) => includes(range, type) && !refused.has(type)) ?? []);
  return found[0] ?? types[0] ?? "";
}

const isWide = (range: string): boolean => range.endsWith("/*");

const includes = (range: string, type: string): boolean =>
  range === "*/*" || range === type || (isWide(range) && type.startsWith(range.slice(0, -1)));
