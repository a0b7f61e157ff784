/** What people read in columns. Pure. */

/** Lines of cells, each column as wide as its widest cell. Of `figures`, all columns but the first end at the right. */
export function table(rows: readonly (readonly string[])[], { figures = false } = {}): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (figures && i > 0 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
