import { styleText } from 'node:util';
import type { Change } from '../shared/operation/outcome.ts';
import { isFinal, type OperationRecord, type OperationState } from '../shared/registry/operations.ts';
import { errorLines, noteLines, statementLines } from './error-report.ts';
import type { Found } from './found.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** Longer lists are cut unless the whole was asked for. */
const shownEntries = 50;

const colours = {
  succeeded: 'green',
  planned: 'cyan',
  failed: 'red',
  running: 'blue',
  pending: 'yellow',
  deferred: 'yellow',
} as const satisfies Record<OperationState, string>;

/** Colours a text by the state it is about, on a terminal. */
export function paintState(state: OperationState, text: string): string {
  return styleText(colours[state], text);
}

/**
 * How an operation ended or stands, for people.
 *
 * @param whole show lists to their end
 */
export function operationReport({ id, record }: Found, { whole }: { whole: boolean }): string[] {
  const { changes = [], notes = [], statements = [], truncated, error } = record;
  const limit = whole ? Number.POSITIVE_INFINITY : shownEntries;
  const cut = <T>(list: readonly T[], render: (shown: readonly T[]) => string[]): string[] => {
    const left = list.length - limit;
    const more = truncated
      ? [`… the rest: drover operations ${id}`]
      : left > 0
        ? [`… and ${left} more: drover operations ${id}`]
        : [];
    return list.length === 0 ? [] : [...render(list.slice(0, limit)), ...more];
  };
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', styleText('bold', `${title}:`), ...lines.map((line) => `  ${line}`)];
  return [
    headline(record),
    ...facts(id, record).map(([name, value]) => `  ${name.padEnd(9)}  ${printableLine(value)}`),
    ...section(record.state === 'planned' ? 'Would change' : 'Changes', cut(changes, changeLines)),
    ...(record.state === 'succeeded' && changes.length === 0 ? ['', 'Nothing had to be changed.'] : []),
    ...(record.state === 'planned' && changes.length === 0 ? ['', 'Nothing would have to be changed.'] : []),
    ...section('Result', resultLines(record.result ?? {})),
    ...section('Statements', cut(statements, statementLines)),
    ...section('Notes', cut(notes, noteLines)),
    ...section(errorTitle(record.state), error ? errorLines(error) : []),
    ...(record.state === 'failed' && record.payload
      ? ['', `To run it again: drover dead-letters replay ${id}`]
      : []),
  ];
}

function errorTitle(state: OperationState): string {
  if (state === 'deferred') return 'It waits because';
  return isFinal(state) ? 'Error' : 'Last error';
}

/** The state as a table shows it. */
export function stateText({ state, dryRun }: Pick<OperationRecord, 'state' | 'dryRun'>): string {
  return dryRun && state !== 'planned' ? `${state} (dry run)` : state;
}

/** Seconds are enough for people: `2026-01-31 08:15:00Z`. */
export function timeText(time: Date | { toDate(): Date }): string {
  return (time instanceof Date ? time : time.toDate()).toISOString().replace('T', ' ').replace(/\.\d+/, '');
}

function headline(record: OperationRecord): string {
  const { function: name, state, durationMs, reason } = record;
  const duration =
    isFinal(state) && durationMs !== undefined && reason !== 'exhausted'
      ? ` in ${durationText(durationMs)}`
      : '';
  const why = state === 'failed' && reason ? ` (${reason})` : '';
  const partly = record.partial ? paintState('pending', ' (partial: see the notes)') : '';
  return `${printableLine(name)} ${paintState(state, styleText('bold', stateText(record)))}${partly}${duration}${why}`;
}

function facts(id: string, record: OperationRecord): [string, string][] {
  const { target, tenant, revision, claimedActor, epoch, state, finishedAt, notBefore } = record;
  return [
    ['operation', record.operationId],
    ['record', id],
    ...(target === undefined ? [] : [['target', target] satisfies [string, string]]),
    ...(tenant === undefined ? [] : [['tenant', tenant] satisfies [string, string]]),
    ...(revision === undefined ? [] : [['revision', String(revision)] satisfies [string, string]]),
    [
      'asked for',
      timeText(record.publishedAt) + (claimedActor === undefined ? '' : ` by ${claimedActor} (as claimed)`),
    ],
    ...(isFinal(state) && finishedAt ? [['ended', timeText(finishedAt)] satisfies [string, string]] : []),
    ...(state === 'deferred' && notBefore
      ? [['waits', `until ${timeText(notBefore)}`] satisfies [string, string]]
      : []),
    ['attempts', String(epoch)],
    ...(record.summary ? [['summary', summaryText(record.summary)] satisfies [string, string]] : []),
  ];
}

function summaryText(summary: Readonly<Record<string, number>>): string {
  return Object.entries(summary)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

/** Names and places, one on a line. */
function resultLines(result: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(0, ...Object.keys(result).map((name) => name.length));
  return Object.entries(result).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${name.padEnd(width)}  ${printableLine(text)}`;
  });
}

function changeLines(changes: readonly Change[]): string[] {
  return table(
    ['', '', '', ''],
    changes.map(({ action, kind, name, detail = '' }) => [action, kind, name, detail]),
  ).slice(1);
}

/** `830 ms`, `2.4 s` */
export function durationText(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
