import type { Message } from '../grpc/server.ts';
import { unimplemented } from './errors.ts';

/**
 * Refuses requests that set a field which this server would not honour: an ignored field would be a silent success.
 *
 * @param supported names in camelCase, output-only ones (which the real service ignores in requests) included
 * @throws UNIMPLEMENTED
 */
export function requireSupported(request: Message, supported: readonly string[]): void {
  for (const [field, value] of Object.entries(request)) {
    if (!supported.includes(field) && !isUnset(value)) throw unimplemented(snakeCase(field));
  }
}

function isUnset(value: unknown): boolean {
  return !value || (Array.isArray(value) && value.length === 0);
}

function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
