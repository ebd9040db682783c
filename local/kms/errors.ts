import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from '../grpc/server.ts';
import { requireSupportedBy, unimplementedBy } from '../grpc/supported-fields.ts';

/** The wording of these errors is the real service's where it is known: people search for it. */

const service = 'Cloud KMS';

export function invalidArgument(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}

export function failedPrecondition(message: string): GrpcError {
  return new GrpcError(status.FAILED_PRECONDITION, message);
}

/** @param kind such as `CryptoKey` */
export function notFound(kind: string, name: string): GrpcError {
  return new GrpcError(status.NOT_FOUND, `${kind} ${name} not found.`);
}

/** @param kind such as `CryptoKey` */
export function alreadyExists(kind: string, name: string): GrpcError {
  return new GrpcError(status.ALREADY_EXISTS, `${kind} ${name} already exists.`);
}

/** @param feature what was asked for, such as `rotation_period` */
export function unimplemented(feature: string): GrpcError {
  return unimplementedBy(service, feature);
}

/** Refuses a request that sets a field which this server would not honour. @throws UNIMPLEMENTED */
export function requireSupported(message: Message, supported: readonly string[]): void {
  requireSupportedBy(service, message, supported);
}
