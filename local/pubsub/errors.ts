import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';

/** The wording of these errors is the real service's: people search for it, and some code matches on it. */

export function invalidArgument(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}

/** @param name full resource name; the real service reports its last segment only */
export function notFound(name: string): GrpcError {
  return new GrpcError(status.NOT_FOUND, `Resource not found (resource=${lastSegment(name)}).`);
}

/** @param name full resource name; the real service reports its last segment only */
export function alreadyExists(name: string): GrpcError {
  return new GrpcError(
    status.ALREADY_EXISTS,
    `Resource already exists in the project (resource=${lastSegment(name)}).`,
  );
}

/** Pulling from a push subscription. */
export function wrongSubscriptionType(): GrpcError {
  return new GrpcError(
    status.FAILED_PRECONDITION,
    'This method is not supported for this subscription type.',
  );
}

/** @param feature what was asked for, such as `enable_message_ordering` */
export function unimplemented(feature: string): GrpcError {
  return new GrpcError(status.UNIMPLEMENTED, `The local Pub/Sub server does not support ${feature}.`);
}

export function tooLarge(field: string, given: number, maximum: number): GrpcError {
  return invalidArgument(
    `The value for ${field} is too large. You passed ${given} in the request, but the maximum value is ${maximum}.`,
  );
}

function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
