import { printableLine } from './printable.ts';

export interface Cell {
  readonly text: string;
  /** Colours the text after it was measured. */
  readonly paint?: (text: string) => string;
}

/** A table with a head, its columns as wide as their longest cell. */
export function table(head: readonly string[], rows: readonly (readonly (string | Cell)[])[]): string[] {
  const cells = [head, ...rows].map((row) =>
    row.map((cell) => {
      const { text, paint } = typeof cell === 'string' ? { text: cell } : cell;
      return { text: printableLine(text), paint };
    }),
  );
  const widths = head.map((_, index) => Math.max(...cells.map((row) => row[index]?.text.length ?? 0)));
  return cells.map((row) =>
    row
      .map(({ text, paint = (plain) => plain }, index) => {
        const padding = index === row.length - 1 ? '' : ' '.repeat((widths[index] ?? 0) - text.length);
        return paint(text) + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Indented lines of a name and what it is, the second parts aligned. */
export function column(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`.trimEnd());
}
