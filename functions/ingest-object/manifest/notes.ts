import type { Note } from '../../../shared/operation/outcome.ts';
import type { Manifest } from './model.ts';
import { neverTakenBack, noLongerNamed } from './revoke.ts';
import type { OnDelete } from './wanted.ts';

/** More than anybody reads. */
const mostNamed = 20;

/** What stays although a manifest no longer names it: all, or with `revoke` what is no grant. */
export function keptNotes(
  former: readonly Manifest[],
  now: Manifest | undefined,
  onDelete: OnDelete,
): Note[] {
  const named = onDelete === 'keep' ? noLongerNamed : neverTakenBack;
  const kept = [...new Set(former.flatMap((one) => named(one, now)))];
  if (kept.length === 0) return [];
  const more = kept.length > mostNamed ? ` and ${kept.length - mostNamed} more` : '';
  const message = `No longer named, and left as it is: ${kept.slice(0, mostNamed).join(', ')}${more}.`;
  return [{ code: 'KEPT', message }];
}

/** @param count of items that were to be taken back */
export function takenOverNotes(count: number): Note[] {
  if (count === 0) return [];
  return [
    {
      code: 'TAKEN_OVER',
      message: 'What another manifest speaks of by now is not taken back.',
    },
  ];
}
