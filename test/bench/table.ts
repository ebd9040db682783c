import type { Check, Result } from './benchmark.ts';

/** A result as text for people. */
export function formatResult({ benchmark, rows, checks, notes }: Result): string {
  return [
    `\n## ${benchmark}\n`,
    ...formatTable(rows),
    '',
    ...checks.map(formatCheck),
    ...notes.map((note) => `- ${note}`),
  ].join('\n');
}

function formatCheck({ name, value, atMost, unit = '' }: Check): string {
  const verdict = value <= atMost ? 'ok' : 'MISSED';
  return `- ${name}: ${value}${unit}, at most ${atMost}${unit}: ${verdict}`;
}

/** A Markdown table whose columns are aligned, so that it reads well in a terminal, too. */
export function formatTable(rows: readonly Readonly<Record<string, string | number>>[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '')));
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...cells.map((row) => (row[index] ?? '').length)),
  );
  const isNumber = columns.map((column) => rows.every((row) => typeof (row[column] ?? 0) === 'number'));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => (isNumber[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, index) =>
    isNumber[index] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(columns), line(rule), ...cells.map(line)];
}
