import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from './server.ts';

/**
 * Refuses a request that sets a field which a server would not honour: an ignored field would be a silent success.
 *
 * @param service as people call it
 * @param supported names in camelCase, output-only ones (which the real service ignores in requests) included
 * @throws UNIMPLEMENTED
 */
export function requireSupportedBy(service: string, message: Message, supported: readonly string[]): void {
  for (const [field, value] of Object.entries(message)) {
    if (!supported.includes(field) && !isUnset(value)) throw unimplementedBy(service, snakeCase(field));
  }
}

/** @param feature what was asked for, such as `version_destroy_ttl` */
export function unimplementedBy(service: string, feature: string): GrpcError {
  return new GrpcError(status.UNIMPLEMENTED, `The local ${service} does not support ${feature}.`);
}

function isUnset(value: unknown): boolean {
  if (typeof value === 'string') return value === '' || value.endsWith('_UNSPECIFIED');
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
