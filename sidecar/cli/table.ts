import { withoutControls } from "../../shared/client/plain-text.ts";

/**
 * Rows as columns of equal width. Cells come from afar, so nothing in them may steer the terminal. With
 * `columns`, the terminal's width, the last column is cut to fit.
 */
export function table(rows: readonly (readonly string[])[], columns: number | null = null): string {
  const cells = rows.map((row) => row.map((cell) => withoutControls(cell).replace(/\s+/g, " ")));
  const widths = (cells[0] ?? []).map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)));
  return cells.map((row) => cut(line(row, widths), columns)).join("\n");
}

const line = (row: string[], widths: number[]): string =>
  row
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join("  ")
    .trimEnd();

const cut = (text: string, columns: number | null): string =>
  columns === null || text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
