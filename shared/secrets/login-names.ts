import { hash } from '../operation/canonical.ts';
import { nameProblem } from '../postgres/principals.ts';
import { maxIdentifierBytes } from '../postgres/target.ts';
import type { Strategy } from './managed.ts';

/** The logins that a secret gets where none is adopted: called as the secret, where PostgreSQL and Drover allow that. */
export function loginsFor(secret: string, strategy: Strategy): string[] {
  const plain = /^[a-z][a-z0-9_-]*$/.test(secret) && secret.length <= maxIdentifierBytes - 2;
  const base = plain && !nameProblem('login', `${secret}_a`) ? secret : `secret_${hash(secret).slice(0, 24)}`;
  return strategy === 'two-user' ? [`${base}_a`, `${base}_b`] : [base];
}
