import type { AccessEntry, DatasetSettings } from './model.ts';
import { type Part, planLabels, planText } from './table-plan.ts';

export interface DatasetPlan {
  /** What to write, where null takes away; undefined where nothing is to be. */
  readonly patch: Readonly<Record<string, unknown>> | undefined;
  /** What writing it changes, in words. */
  readonly changes: readonly string[];
}

/** The API answers with the old names of these. */
const oldNames: Readonly<Record<string, string>> = {
  'roles/bigquery.dataOwner': 'OWNER',
  'roles/bigquery.dataEditor': 'WRITER',
  'roles/bigquery.dataViewer': 'READER',
};

/**
 * What brings a dataset that is there to what it should be. Labels and access that somebody else gave stay; the time
 * after which new tables expire is as it should be, or none.
 *
 * @param withdrawn access that was given and is to end
 */
export function planDataset(
  current: DatasetSettings,
  wanted: DatasetSettings,
  withdrawn: readonly AccessEntry[] = [],
): DatasetPlan {
  const parts: readonly Part<object>[] = [
    planLabels(current, wanted),
    planText('friendlyName', current, wanted),
    planText('description', current, wanted),
    planExpiry(current, wanted),
    planAccess(current, wanted, withdrawn),
  ];
  const patches = parts.flatMap(({ patch }) => patch ?? []);
  return {
    patch: patches.length === 0 ? undefined : Object.assign({}, ...patches),
    changes: parts.flatMap(({ changes }) => changes ?? []),
  };
}

function planExpiry(
  { defaultTableExpirationMs: current }: DatasetSettings,
  { defaultTableExpirationMs: wanted }: DatasetSettings,
) {
  if (current === wanted) return {};
  return { patch: { defaultTableExpirationMs: wanted ?? null }, changes: ['expiry of new tables'] };
}

function planAccess(
  { access: current = [] }: DatasetSettings,
  { access: wanted = [] }: DatasetSettings,
  withdrawn: readonly AccessEntry[],
) {
  const present = new Set(current.map(textOf));
  const missing = wanted.filter((entry) => !present.has(textOf(entry)));
  const needed = new Set(wanted.map(textOf));
  const ending = new Set(withdrawn.map(textOf).filter((entry) => present.has(entry) && !needed.has(entry)));
  if (missing.length === 0 && ending.size === 0) return {};
  // A list that is written replaces the one that is there.
  const kept = current.filter((entry) => !ending.has(textOf(entry)));
  const changes = [...missing.map(textOf), ...[...ending].map((entry) => `no ${entry}`)];
  return { patch: { access: [...kept, ...missing] }, changes };
}

function textOf({ role = '', ...member }: AccessEntry): string {
  const name = JSON.stringify(Object.values(member)).slice(1, -1).replaceAll('"', '').toLowerCase();
  return `${oldNames[role] ?? role} for ${name}`;
}
