import { readFile } from 'node:fs/promises';
import type { ConnectionSettings } from '../config.ts';
import { OperationError } from '../operation/errors.ts';

export type PasswordSource = NonNullable<ConnectionSettings['password']> | { readonly given: string };

/**
 * Reads a password from where the configuration says it is. A file is read anew at each call, so that a rotated secret
 * counts from the next connection on; the line break that editors and `kubectl` leave at its end isn't part of it.
 *
 * @throws OperationError `PASSWORD_UNREADABLE`, retryable: a secret that is being mounted may be there a moment later
 */
export async function readPassword(source: PasswordSource): Promise<string> {
  if ('given' in source) return source.given;
  const password = 'env' in source ? fromVariable(source.env) : await fromFile(source.file);
  if (password === '') throw unreadable(`${describe(source)} is empty`);
  return password;
}

function fromVariable(name: string): string {
  const password = process.env[name];
  if (password === undefined) throw unreadable(`the environment variable ${name} is not set`);
  return password;
}

async function fromFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw unreadable(`the file ${path} can't be read`, error);
  }
}

function describe(source: NonNullable<ConnectionSettings['password']>): string {
  return 'env' in source ? `the environment variable ${source.env}` : `the file ${source.file}`;
}

function unreadable(why: string, cause?: unknown): OperationError {
  return new OperationError(
    'PASSWORD_UNREADABLE',
    `The password of the database login is missing: ${why}. DROVER_INSTANCES says where it is read from.`,
    { retryable: true, cause },
  );
}
