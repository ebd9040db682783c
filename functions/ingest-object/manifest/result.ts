import { formatPlace, type ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { findObject, unlessMissing } from '../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../shared/gcp/storage/read.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Change, Note } from '../../../shared/operation/outcome.ts';
import type { ManifestCounts, ManifestPlace } from '../../../shared/registry/manifests/model.ts';
import { resultsFolder } from '../../../shared/routes.ts';
import type { Compared } from './compare/model.ts';
import { functionOf } from './derived.ts';
import type { Progress } from './steps.ts';
import type { Wanted } from './wanted.ts';

/** Why something didn't come about as it should. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** What became of one thing that a manifest wants; in a dry run what would. */
export interface ResultItem {
  readonly key: string;
  /** `project:region:name/app.billing`, `secret app-billing`, `tenant acme` */
  readonly about: string;
  readonly function: string;
  readonly state: 'unchanged' | 'done' | 'failed' | 'skipped' | 'change' | 'refused';
  /** The record of its operation; of several that which failed, or the last. */
  readonly operation?: string;
  /** In words. */
  readonly changes: readonly string[];
  readonly problem?: Problem;
  /** What isn't as it should be, and somebody else has to do. */
  readonly notes?: readonly Note[];
  /** Because of that not all of it is so. */
  readonly partial?: true;
}

/** Of one item: an exact set may have hundreds. */
const mostChanges = 200;

/** Of a whole run. */
const mostNotes = 50;

/** An operation's record and its event have so many items at most, and so many bytes of them. */
const mostItems = 200;
const mostItemBytes = 128 * 1024;
const mostItemChanges = 10;

/** Keys of items about which something newer was decided than they ask for. */
export function supersededKeys({ steps, records }: Progress): Set<string> {
  const isBehind = (id: string) => records.get(id)?.notes?.some(({ code }) => isSuperseded(code));
  return new Set(steps.filter(({ id }) => isBehind(id)).map(({ key }) => key));
}

/**
 * What became of each item of a manifest.
 *
 * @param behind keys of items that are not so, for something newer was decided
 * @param by the generation that was begun before the end of this one
 */
export function resultItems(
  compared: readonly Compared[],
  progress: Progress,
  behind: ReadonlySet<string> = new Set(),
  by?: string,
): ResultItem[] {
  return compared.map(({ wanted, about, parts, notes }) => {
    const steps = progress.steps.filter(({ key }) => key === wanted.key);
    // What was waited for when something newer began may come about, and may not.
    const open = by === undefined ? [] : (['under way', 'waiting'] as const);
    const states = steps.map(({ id }) => progress.states.get(id));
    const worst = (['failed', ...open, 'skipped', 'done'] as const).find((state) => states.includes(state));
    const isOpen = worst === 'under way' || worst === 'waiting';
    const isBehind = worst === 'done' && behind.has(wanted.key);
    const state = isOpen ? 'skipped' : isBehind ? 'failed' : (worst ?? 'unchanged');
    const isWorst = ({ id }: { readonly id: string }) => progress.states.get(id) === worst;
    const decisive = steps.findLast((step) => isWorst(step) && (!isBehind || isStepBehind(step, progress)));
    const records = steps.flatMap(({ id }) => progress.records.get(id) ?? []);
    const done = records.flatMap((record) => (record.changes ?? []).map(inWords));
    // What only the registry or a secret's settings say is no change of the operation's.
    const isTold = done.length > 0 || state !== 'done' || steps.some((step) => isStepBehind(step, progress));
    const changes = isTold ? done : parts.flatMap((part) => part.changes);
    const isSent = decisive && progress.records.has(decisive.id);
    const problem = isOpen
      ? overtaken(worst, by ?? '')
      : decisive && problemOf(decisive.id, isBehind ? 'superseded' : state, progress);
    const kept = notes.filter(({ code }) => code === 'KEPT');
    const told = records.length > 0 ? [...records.flatMap((record) => record.notes ?? []), ...kept] : notes;
    return {
      key: wanted.key,
      about,
      function: functionOf(wanted),
      state,
      ...(isSent ? { operation: decisive.ref.id } : {}),
      changes: cut(changes, mostChanges),
      ...(problem ? { problem } : {}),
      ...notesOf(wanted, told),
    };
  });
}

/** What was told of one item beside its changes. */
function notesOf(wanted: Wanted, told: readonly Note[]): Pick<ResultItem, 'notes' | 'partial'> {
  const notes = told.filter(({ code }) => !isSuperseded(code));
  const isShort = wanted.kind === 'grants' && wanted.mode !== 'add';
  const isForeign = isShort && notes.some(({ code }) => code === 'FOREIGN_MEMBERSHIP');
  return { ...(notes.length > 0 ? { notes } : {}), ...(isForeign ? { partial: true } : {}) };
}

/** Those of all items, for people who look at the whole. */
export function itemNotes(items: readonly ResultItem[]): Note[] {
  const all = items.flatMap(({ key, notes = [] }) =>
    notes.map((note) => ({ ...note, message: `${key}: ${note.message}` })),
  );
  if (all.length <= mostNotes) return all;
  const message = `… and ${all.length - mostNotes} more: see the items.`;
  return [...all.slice(0, mostNotes), { code: 'MORE_NOTES', message }];
}

function isSuperseded(code: string): boolean {
  return code === 'SUPERSEDED' || code === 'OWNER_SUPERSEDED';
}

function isStepBehind({ id }: { readonly id: string }, { records }: Progress): boolean {
  return records.get(id)?.notes?.some(({ code }) => isSuperseded(code)) ?? false;
}

function overtaken(state: 'under way' | 'waiting', by: string): Problem {
  const what = state === 'waiting' ? 'It was not sent' : 'It was sent, and had not ended';
  return { code: 'SUPERSEDED', message: `${what} when generation #${by} was begun.` };
}

function problemOf(
  step: string,
  state: ResultItem['state'] | 'superseded',
  progress: Progress,
): Problem | undefined {
  if (state === 'skipped') {
    const because = progress.because.get(step)?.replace(/ #\d+$/, '');
    return { code: 'SKIPPED', message: `It comes after ${because}, which could not be done.` };
  }
  const record = progress.records.get(step);
  if (state === 'failed') {
    const why = record?.error ?? progress.refused.get(step);
    const { code = 'UNKNOWN', message = 'Its record doesn’t say why.' } = why ?? {};
    return { code, message };
  }
  if (state !== 'superseded') return undefined;
  const { code = 'SUPERSEDED', message = '' } = record?.notes?.find((note) => isSuperseded(note.code)) ?? {};
  return { code, message: `${message} If it is to be as this file says, upload the file again.` };
}

/** What would become of each item. */
export function plannedItems(
  compared: readonly Compared[],
  refused: ReadonlyMap<string, Problem>,
): ResultItem[] {
  return compared.map(({ wanted, about, parts, refusals, notes }) => {
    const changes = parts.flatMap((part) => part.changes);
    const [refusal] = refusals;
    const problem = refused.get(wanted.key) ?? (changes.length > 0 ? refusal : undefined);
    return {
      key: wanted.key,
      about,
      function: functionOf(wanted),
      state: problem ? 'refused' : changes.length > 0 ? 'change' : 'unchanged',
      changes: cut(changes, mostChanges),
      ...(problem ? { problem: { code: problem.code, message: problem.message } } : {}),
      ...notesOf(wanted, notes),
    };
  });
}

function inWords({ action, kind, name, detail }: Change): string {
  return [action, kind, name, detail].filter(Boolean).join(' ');
}

function cut(list: readonly string[], most: number): string[] {
  return list.length <= most ? [...list] : [...list.slice(0, most), `… ${list.length - most} more`];
}

export function countItems(items: readonly ResultItem[]): ManifestCounts {
  const count = (state: ResultItem['state']) => items.filter((item) => item.state === state).length;
  return {
    unchanged: count('unchanged'),
    changed: count('done'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}

/** One change for each item that changed, or would. */
export function changesOf(items: readonly ResultItem[]): Change[] {
  return items
    .filter(({ state }) => state === 'done' || state === 'change')
    .filter(({ changes }) => changes.length > 0)
    .map(({ key, about, changes }) => ({
      action: 'alter',
      kind: key.split(' ')[0] ?? key,
      name: about,
      detail: changes.length === 1 ? (changes[0] ?? '') : `${changes.length} changes`,
    }));
}

const order = ['failed', 'refused', 'skipped', 'done', 'change', 'unchanged'];

/** As much of the items as a record and an event have room for: what went wrong comes first. */
export function boundedItems(items: readonly ResultItem[]): { items: ResultItem[]; more?: number } {
  const short = items.map(({ notes, ...item }) => ({
    ...item,
    changes: cut(item.changes, mostItemChanges),
    ...(notes ? { notes: notes.slice(0, mostItemChanges) } : {}),
  }));
  const bytesOf = (list: readonly ResultItem[]) => Buffer.byteLength(JSON.stringify(list));
  if (short.length <= mostItems && bytesOf(short) <= mostItemBytes) return { items: short };
  const byState = short.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  let bytes = 0;
  const shown = byState.slice(0, mostItems).filter((item) => {
    bytes += bytesOf([item]);
    return bytes <= mostItemBytes;
  });
  return { items: shown, more: items.length - shown.length };
}

/** What is written about a run beside the manifest. */
export interface ResultObject {
  readonly manifest: ManifestPlace & { readonly generation: string };
  readonly event: string;
  /** Of the operation's record. */
  readonly operation: string;
  readonly state: 'applied' | 'incomplete' | 'deleted' | 'superseded' | 'refused';
  readonly summary: ManifestCounts;
  readonly items: readonly ResultItem[];
  readonly notes: readonly Note[];
  /** Why nothing was done. */
  readonly error?: Problem & { readonly details?: unknown };
}

/** Names of objects have at most so many bytes. */
const longestName = 1024;

/** Where what became of a generation is written. */
export function resultPlace(
  { bucket, object }: ManifestPlace,
  generation: string,
  event: string,
): ObjectPlace {
  const file = event === 'OBJECT_FINALIZE' ? `${generation}.json` : `${generation}.deleted.json`;
  const folder = object.replace(/\.[a-z0-9]{1,8}$/i, '');
  const name = `${resultsFolder}${folder}/${file}`;
  const isShort = Buffer.byteLength(name) <= longestName;
  return { bucket, name: isShort ? name : `${resultsFolder}${hash(object).slice(0, 40)}/${file}` };
}

/** What was written about a run by an operation; undefined where that says something else, or nothing. */
export async function readResult(
  place: ManifestPlace,
  { generation, event }: { readonly generation: string; readonly event: string },
  { id, signal }: Pick<OperationContext, 'id' | 'signal'>,
): Promise<ResultObject | undefined> {
  const found = await findObject(resultPlace(place, generation, event), signal);
  const content = found && (await unlessMissing(readObject(found, signal)));
  if (content === undefined) return undefined;
  try {
    const result = JSON.parse(content.toString()) as ResultObject;
    return result.operation === id ? result : undefined;
  } catch {
    return undefined;
  }
}

/** Written again it says the same. @returns `gs://…` */
export async function writeResult(result: ResultObject, signal: AbortSignal): Promise<string> {
  const { manifest, event } = result;
  const place = resultPlace(manifest, manifest.generation, event);
  const content = `${JSON.stringify(result, null, 2)}\n`;
  await writeObject(place, content, { signal, contentType: 'application/json' });
  return formatPlace(place);
}
