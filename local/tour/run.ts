import { styleText } from 'node:util';
import type { Stack } from '../stack.ts';
import { drover } from './drover.ts';
import type { Step } from './step.ts';
import { steps } from './steps.ts';
import { upload, uploads } from './uploads.ts';

const shownChanges = 4;

/** The part of an operation's record that is shown. */
interface Shown {
  readonly state: string;
  readonly epoch: number;
  readonly durationMs?: number;
  readonly changes?: readonly { action: string; kind: string; name: string; detail?: string }[];
  readonly notes?: readonly { code: string; message: string }[];
  readonly statements?: readonly string[];
  readonly error?: {
    code: string;
    details?: { problems?: { path: string; message: string }[]; statements?: string[] };
    message: string;
  } | null;
}

/**
 * Sends the sample messages with the `drover` command, the way a user would, and shows what became of each.
 *
 * @returns the titles of steps that did not end as they should
 */
export async function runTour(stack: Stack): Promise<string[]> {
  const surprises: string[] = [];
  for (const [index, step] of steps.entries()) {
    await step.before?.(stack);
    console.log(`\n${styleText('bold', `${String(index + 1).padStart(2)}. ${step.title}`)}`);
    const record = await act(step, stack);
    const asExpected = isExpected(step, record);
    show(record, asExpected);
    const shown = (await step.after?.(stack)) ?? true;
    if (!asExpected || !shown) surprises.push(`${index + 1}. ${step.title}`);
  }
  return surprises;
}

async function act({ does }: Step, stack: Stack): Promise<Shown> {
  if (typeof does === 'object' && 'object' in does) {
    const content = await does.content();
    const size = `${Math.ceil(content.length / 1024)} KiB`;
    console.log(styleText('dim', `    upload of gs://${uploads}/${does.object} (${size})`));
    return (await upload(stack, { ...does, content: () => content })) as Shown;
  }
  const given = typeof does === 'function' ? does() : does;
  console.log(styleText('dim', `    drover ${given.map(quote).join(' ')}`));
  const parsed = JSON.parse(await drover([...given, '--wait', '--json'], stack)) as Shown | Shown[];
  const record = Array.isArray(parsed) ? parsed[0] : parsed;
  if (record === undefined) throw new Error(`drover ${given[0]} printed an empty list`);
  return record;
}

function isExpected({ expected }: Step, record: Shown): boolean {
  return (
    record.state === expected.state &&
    record.error?.code === expected.code &&
    (expected.changes === undefined || record.changes?.length === expected.changes) &&
    (expected.note === undefined || (record.notes ?? []).some(({ code }) => code === expected.note))
  );
}

function show(record: Shown, asExpected: boolean): void {
  const mark = asExpected ? styleText('green', '✓') : styleText('red', '✗ unexpected:');
  const code = record.error ? ` ${record.error.code}` : '';
  const took = record.durationMs === undefined ? '' : `, ${record.durationMs} ms`;
  console.log(`    ${mark} ${styleText('bold', record.state)}${code} (attempt ${record.epoch}${took})`);
  const changes = record.statements ?? (record.changes ?? []).map(describe);
  for (const change of changes.slice(0, shownChanges)) console.log(`      ${change}`);
  if (changes.length > shownChanges)
    console.log(styleText('dim', `      … and ${changes.length - shownChanges} more`));
  showNotes(record.notes ?? []);
  const { error } = record;
  if (!error) return;
  const { problems, statements } = error.details ?? {};
  if (problems) for (const problem of problems) console.log(`      ${problem.path} ${problem.message}`);
  else console.log(`      ${error.message}`);
  for (const statement of statements ?? []) console.log(styleText('cyan', `      ${statement};`));
}

const explained = new Set<string>();

/** What a note means is said once; it comes again with every schema. */
function showNotes(notes: readonly { code: string; message: string }[]): void {
  const again = new Set(notes.filter(({ code }) => explained.has(code)).map(({ code }) => code));
  for (const { code, message } of notes) {
    if (again.has(code)) continue;
    console.log(styleText('yellow', `      ${code}: ${message}`));
    explained.add(code);
  }
  for (const code of again) console.log(styleText('yellow', `      ${code}, as above`));
}

function describe({
  action,
  kind,
  name,
  detail,
}: {
  action: string;
  kind: string;
  name: string;
  detail?: string;
}): string {
  return `${action} ${kind} ${name}${detail === undefined ? '' : `: ${detail}`}`;
}

function quote(argument: string): string {
  return /^[\w./:=-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
