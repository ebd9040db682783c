import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Path of the protobuf definitions that an installed client ships. They are no export of its package, its main file is.
 *
 * @param library such as `@google-cloud/kms`
 */
export function clientProtos(library: string, file = 'protos.json'): string {
  const main = createRequire(import.meta.url).resolve(library);
  return join(main, '..', '..', 'protos', file);
}
