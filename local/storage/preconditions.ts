import { conditionNotMet, notModified } from './errors.ts';
import { numberOf } from './numbers.ts';

/** What preconditions compare. */
export interface Versioned {
  readonly generation: number;
  readonly metageneration: number;
}

export const objectPreconditions = preconditionNames('if');
export const sourcePreconditions = preconditionNames('ifSource');
export const bucketPreconditions = ['ifMetagenerationMatch', 'ifMetagenerationNotMatch'];

/**
 * Compares what a request says it takes for the present with what is.
 *
 * @param current what there is, if anything; nothing counts as generation 0
 * @param prefix of the parameters' names
 * @throws ApiError 412, or 304 where a read asks for anything but this, 400 for a number that is none
 * @see https://cloud.google.com/storage/docs/request-preconditions
 */
export function checkPreconditions(
  query: Readonly<Record<string, string>>,
  current: Versioned | undefined,
  intent: 'read' | 'write',
  prefix: 'if' | 'ifSource' = 'if',
): void {
  for (const property of ['generation', 'metageneration'] as const) {
    const name = `${prefix}${property === 'generation' ? 'Generation' : 'Metageneration'}`;
    const present = current?.[property] ?? 0;
    const { [`${name}Match`]: expected, [`${name}NotMatch`]: unwanted } = query;
    if (expected !== undefined && numberOf(expected) !== present) throw conditionNotMet();
    if (unwanted !== undefined && numberOf(unwanted) === present) {
      throw intent === 'read' ? notModified() : conditionNotMet();
    }
  }
}

function preconditionNames(prefix: 'if' | 'ifSource'): string[] {
  return ['Generation', 'Metageneration'].flatMap((property) => [
    `${prefix}${property}Match`,
    `${prefix}${property}NotMatch`,
  ]);
}
