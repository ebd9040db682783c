import type { Message } from '../grpc/server.ts';
import { unimplemented } from './errors.ts';

/**
 * Refuses a request that sets a field which this server would not honour: an ignored field would be a silent success.
 *
 * @param supported names in camelCase, output-only ones (which the real service ignores in requests) included
 * @throws UNIMPLEMENTED
 */
export function requireSupported(message: Message, supported: readonly string[]): void {
  for (const [field, value] of Object.entries(message)) {
    if (!supported.includes(field) && !isUnset(value)) throw unimplemented(snakeCase(field));
  }
}

function isUnset(value: unknown): boolean {
  if (typeof value === 'string') return value === '' || value.endsWith('_UNSPECIFIED');
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
