import { archiveDamaged } from './entries.ts';

/** What is wrong with an archive, found where nobody knows whether another reading may help. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/** @returns the error that a reader of archives throws in place of this one */
export function explainDamage(error: unknown, retryable: boolean): unknown {
  return error instanceof Damage ? archiveDamaged(error.message, retryable, error.cause) : error;
}
