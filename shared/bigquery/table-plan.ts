import { isDeepStrictEqual } from 'node:util';
import { planFields } from './field-plan.ts';
import type { TableSettings } from './model.ts';

export interface TablePlan {
  /** What to write; undefined where nothing is to be. */
  readonly patch: TableSettings | undefined;
  /** What writing it changes, in words. */
  readonly changes: readonly string[];
  /** What only a new table would have, in words. */
  readonly conflicts: readonly string[];
}

/** What one aspect of a resource needs. */
export interface Part<Settings> {
  readonly patch?: Settings;
  readonly changes?: readonly string[];
  readonly conflicts?: readonly string[];
}

/**
 * What brings a table or a view that is there to what it should be. Nothing is ever lost by it: no column, no row, no
 * label, no description that somebody else gave. So a partition's time to live stays as it is, too.
 *
 * @param current one of the same kind
 */
export function planTable(current: TableSettings, wanted: TableSettings): TablePlan {
  const parts: readonly Part<TableSettings>[] = [
    planSchema(current, wanted),
    planView(current, wanted),
    planClustering(current, wanted),
    planLabels(current, wanted),
    planText('description', current, wanted),
    planText('friendlyName', current, wanted),
    { conflicts: partitioningConflicts(current, wanted) },
  ];
  const patches = parts.flatMap(({ patch }) => patch ?? []);
  return {
    patch: patches.length === 0 ? undefined : Object.assign({}, ...patches),
    changes: parts.flatMap(({ changes }) => changes ?? []),
    conflicts: parts.flatMap(({ conflicts }) => conflicts ?? []),
  };
}

function planSchema(current: TableSettings, { schema }: TableSettings): Part<TableSettings> {
  if (schema?.fields === undefined) return {};
  const { fields, changes, conflicts } = planFields(current.schema?.fields ?? [], schema.fields);
  if (changes.length === 0) return { conflicts };
  return { patch: { schema: { ...current.schema, fields } }, changes, conflicts };
}

function planView(current: TableSettings, { view }: TableSettings): Part<TableSettings> {
  const isSame = view?.query === current.view?.query && current.view?.useLegacySql !== true;
  if (view === undefined || isSame) return {};
  return { patch: { view }, changes: ['query'] };
}

/** Rows that are there are put in order by and by. */
function planClustering(current: TableSettings, { clustering }: TableSettings): Part<TableSettings> {
  if (clustering === undefined || isDeepStrictEqual(current.clustering?.fields, clustering.fields)) return {};
  return { patch: { clustering }, changes: [`clustering by ${clustering.fields.join(', ')}`] };
}

export function planLabels(
  { labels: current = {} }: Pick<TableSettings, 'labels'>,
  { labels: wanted = {} }: Pick<TableSettings, 'labels'>,
): Part<Pick<TableSettings, 'labels'>> {
  const different = Object.keys(wanted).filter((name) => current[name] !== wanted[name]);
  if (different.length === 0) return {};
  return { patch: { labels: { ...current, ...wanted } }, changes: [`labels ${different.join(', ')}`] };
}

export function planText<Name extends 'description' | 'friendlyName'>(
  name: Name,
  current: Pick<TableSettings, Name>,
  wanted: Pick<TableSettings, Name>,
): Part<Pick<TableSettings, Name>> {
  if (wanted[name] === undefined || wanted[name] === (current[name] ?? '')) return {};
  const label = name === 'friendlyName' ? 'name' : name;
  return { patch: { [name]: wanted[name] } as Pick<TableSettings, Name>, changes: [label] };
}

function partitioningConflicts(current: TableSettings, wanted: TableSettings): string[] {
  const is = partitioning(current);
  const should = partitioning(wanted);
  return wanted.timePartitioning === undefined || is === should ? [] : [`it is ${is}, not ${should}`];
}

function partitioning({ timePartitioning }: TableSettings): string {
  if (timePartitioning === undefined) return 'not partitioned';
  const { type, field = 'the time of arrival' } = timePartitioning;
  return `partitioned by ${type} of ${field}`;
}
