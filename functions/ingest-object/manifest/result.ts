import { formatPlace, type ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import type { Change, Note } from '../../../shared/operation/outcome.ts';
import type { ManifestCounts, ManifestPlace } from '../../../shared/registry/manifests/model.ts';
import { resultsFolder } from '../../../shared/routes.ts';
import type { Compared } from './compare/model.ts';
import { functionOf } from './derived.ts';
import type { Progress } from './steps.ts';

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
}

/** Of one item: an exact set may have hundreds. */
const mostChanges = 200;

/** An operation's record and its event have so many items at most, and so many bytes of them. */
const mostItems = 200;
const mostItemBytes = 128 * 1024;
const mostItemChanges = 10;

/** What became of each item of a manifest. */
export function resultItems(compared: readonly Compared[], progress: Progress): ResultItem[] {
  return compared.map(({ wanted, about, parts }) => {
    const steps = progress.steps.filter(({ key }) => key === wanted.key);
    const states = steps.map(({ id }) => progress.states.get(id));
    const worst = (['failed', 'skipped', 'done'] as const).find((state) => states.includes(state));
    const state = worst ?? 'unchanged';
    const decisive = steps.findLast(({ id }) => progress.states.get(id) === worst);
    const records = steps.flatMap(({ id }) => progress.records.get(id) ?? []);
    const done = records.flatMap((record) => (record.changes ?? []).map(inWords));
    // What only the registry or a secret's settings say is no change of the operation's.
    const changes = done.length > 0 || state !== 'done' ? done : parts.flatMap((part) => part.changes);
    const isSent = decisive && progress.records.has(decisive.id);
    const problem = decisive && problemOf(decisive.id, state, progress);
    return {
      key: wanted.key,
      about,
      function: functionOf(wanted),
      state,
      ...(isSent ? { operation: decisive.ref.id } : {}),
      changes: cut(changes, mostChanges),
      ...(problem ? { problem } : {}),
    };
  });
}

function problemOf(step: string, state: ResultItem['state'], progress: Progress): Problem | undefined {
  if (state === 'skipped') {
    const because = progress.because.get(step)?.replace(/ #\d+$/, '');
    return { code: 'SKIPPED', message: `It comes after ${because}, which could not be done.` };
  }
  const record = progress.records.get(step);
  if (state === 'failed') {
    const { code = 'UNKNOWN', message = 'Its record doesn’t say why.' } = record?.error ?? {};
    return { code, message };
  }
  const superseded = record?.notes?.find(({ code }) => code === 'SUPERSEDED' || code === 'OWNER_SUPERSEDED');
  return superseded && { code: superseded.code, message: superseded.message };
}

/** What would become of each item. */
export function plannedItems(
  compared: readonly Compared[],
  refused: ReadonlyMap<string, Problem>,
): ResultItem[] {
  return compared.map(({ wanted, about, parts, refusals }) => {
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
  const short = items.map((item) => ({ ...item, changes: cut(item.changes, mostItemChanges) }));
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
  readonly state: 'applied' | 'incomplete' | 'deleted' | 'refused';
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

/** Written again it says the same. @returns `gs://…` */
export async function writeResult(result: ResultObject, signal: AbortSignal): Promise<string> {
  const { manifest, event } = result;
  const place = resultPlace(manifest, manifest.generation, event);
  const content = `${JSON.stringify(result, null, 2)}\n`;
  await writeObject(place, content, { signal, contentType: 'application/json' });
  return formatPlace(place);
}
