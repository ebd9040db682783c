import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { unimplementedBy } from '../grpc/supported-fields.ts';

/** The wording of these errors is the real service's where it is known: people search for it. */

export function invalidArgument(message = 'Request contains an invalid argument.'): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}

export function failedPrecondition(message: string): GrpcError {
  return new GrpcError(status.FAILED_PRECONDITION, message);
}

export function notFound(message: string): GrpcError {
  return new GrpcError(status.NOT_FOUND, message);
}

/** @param feature what was asked for, such as `version_destroy_ttl` */
export function unimplemented(feature: string): GrpcError {
  return unimplementedBy('Secret Manager', feature);
}

/**
 * Lets a change through whose etag is the resource's current one, or which has none.
 *
 * @param current with its quotes
 * @throws FAILED_PRECONDITION
 * @see https://cloud.google.com/secret-manager/docs/etags
 */
export function requireEtag(current: string, given: unknown): void {
  if (!given || given === current) return;
  throw failedPrecondition(
    "The etag provided in the request does not match the resource's current etag. Please retry the whole read-modify-write with exponential backoff.",
  );
}
