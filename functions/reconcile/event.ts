import { config } from '../../shared/config.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { formatTarget, type Target } from '../../shared/postgres/target.ts';
import { databaseDocumentId } from '../../shared/registry/databases.ts';
import type { Difference } from './differences.ts';

/** Of the differences in an event: the operation's record has no room for all of a ruined database either. */
const mostInEvent = 100;

/** Of all of them as JSON. Pub/Sub takes 10 MB; many of those who get it take less. */
export const mostEventBytes = 512 * 1024;

/** A difference as the event has it. */
interface ShownDifference {
  readonly schema: string | null;
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  readonly statements: readonly string[];
  /** Its lists are longer than shown. */
  readonly truncated?: true;
}

/**
 * What is said about a database that isn't as the registry has it: as much of it as people look at and an event has room
 * for. All of it is to be had by a dry run.
 *
 * @param occurrence makes the event's id, so that whoever sees it twice can tell
 */
export function driftEvent(
  target: Target,
  differences: readonly Difference[],
  mends: boolean,
  occurrence: string,
) {
  const shown = shownOf(differences);
  return {
    specversion: '1.0',
    id: `${databaseDocumentId(target)}.${occurrence}`,
    source: `//drover/projects/${config().GOOGLE_CLOUD_PROJECT}/functions/reconcile`,
    type: 'drover.drift.detected',
    subject: formatTarget(target),
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: {
      target: formatTarget(target),
      mends,
      differences: shown,
      truncated: shown.length < differences.length || shown.some(({ truncated }) => truncated),
    },
  };
}

/** What one of them leaves of its share goes to those behind it. */
function shownOf(differences: readonly Difference[]): ShownDifference[] {
  const first = differences.slice(0, mostInEvent);
  let left = mostEventBytes;
  return first.map((one, index) => {
    const shown = within(one, Math.floor(left / (first.length - index)));
    left -= sizeOf(shown) + 1;
    return shown;
  });
}

function within({ changes, notes, statements, ...one }: Difference, bytes: number): ShownDifference {
  const schema = one.schema ?? null;
  const whole = { schema, changes, notes, statements };
  if (sizeOf(whole) < bytes) return whole;
  // The schema's name and the names of the fields need some of it.
  const share = Math.floor((bytes - 512) / 3);
  return {
    schema,
    changes: beginning(changes, share),
    notes: beginning(notes, share),
    statements: beginning(statements, share),
    truncated: true,
  };
}

/** As much of a list as there is room for. */
function beginning<T>(list: readonly T[], bytes: number): T[] {
  let used = 0;
  const end = list.findIndex((one) => {
    used += sizeOf(one) + 1;
    return used > bytes;
  });
  return list.slice(0, end < 0 ? list.length : end);
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
