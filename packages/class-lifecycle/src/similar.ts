/** The name that was meant, where one is misspelled. Pure. */

/** The name of `known` that is most like `name`; undefined where none is so like it that it may be what was meant. */
export function mostLike(name: string, known: Iterable<string>): string | undefined {
  const most = Math.min(2, Math.floor(name.length / 3));
  const near = [...known]
    .filter((other) => Math.abs(other.length - name.length) <= most)
    .map((other) => ({ other, edits: editsBetween(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ edits }) => edits <= most)
    .sort((a, b) => a.edits - b.edits);
  return near[0]?.other;
}

/** How many letters have to be put in, taken out or replaced to make one word of the other (Levenshtein). */
function editsBetween(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...from].entries()) {
    const line = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const [corner = 0, up = 0] = above.slice(column);
      line.push(Math.min(corner + (letter === other ? 0 : 1), up + 1, (line[column] ?? 0) + 1));
    }
    above = line;
  }
  return above.at(-1) ?? 0;
}
