import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';

const id = '[a-zA-Z0-9_-]{1,63}';
const location = 'projects/[^/]+/locations/[a-z0-9-]+';

const patterns = {
  Location: location,
  KeyRing: `${location}/keyRings/${id}`,
  CryptoKey: `${location}/keyRings/${id}/cryptoKeys/${id}`,
  CryptoKeyVersion: `${location}/keyRings/${id}/cryptoKeys/${id}/cryptoKeyVersions/[0-9]+`,
} as const;

export type ResourceKind = keyof typeof patterns;

/** Full names of resources, all of one project. */
export class Names {
  readonly #project: string;

  constructor(project: string) {
    this.#project = project;
  }

  /**
   * A full name of one of these kinds.
   *
   * @throws INVALID_ARGUMENT where it is none, PERMISSION_DENIED where it is one in another project
   */
  parse(
    value: unknown,
    ...kinds: readonly ResourceKind[]
  ): { readonly name: string; readonly kind: ResourceKind } {
    const name = String(value ?? '');
    const kind = kinds.find((candidate) => new RegExp(`^${patterns[candidate]}$`).test(name));
    if (kind === undefined) {
      throw invalidArgument(`The name '${name}' is not a valid resource name of a ${kinds.join(' or ')}.`);
    }
    if (name.split('/')[1] !== this.#project) {
      throw new GrpcError(
        status.PERMISSION_DENIED,
        `Permission denied on resource '${name}' (or it may not exist).`,
      );
    }
    return { name, kind };
  }

  /** The same of one kind. */
  of(kind: ResourceKind, value: unknown): string {
    return this.parse(value, kind).name;
  }
}

/** @throws INVALID_ARGUMENT */
export function requireId(value: unknown): string {
  if (typeof value === 'string' && new RegExp(`^${id}$`).test(value)) return value;
  throw invalidArgument(`The id '${value ?? ''}' must match the pattern [a-zA-Z0-9_-]{1,63}.`);
}

/** The name of what a resource is in. */
export function parentOf(name: string): string {
  return name.split('/').slice(0, -2).join('/');
}
