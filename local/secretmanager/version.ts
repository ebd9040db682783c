import { crc32c } from '../../shared/gcp/crc32c.ts';
import type { Micros } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { Timestamp } from '../grpc/time.ts';
import { failedPrecondition, invalidArgument } from './errors.ts';
import type { Replication } from './replication.ts';
import { requireSupported } from './supported-fields.ts';

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED';

/** A version of a secret. */
export interface SecretVersion {
  /** Full name, with the project's number. */
  readonly name: string;
  readonly createTime: Micros;
  readonly clientSpecifiedChecksum: boolean;
  state: VersionState;
  destroyTime: Micros | undefined;
  etag: string;
  /** Undefined once the version is destroyed. */
  payload: Buffer | undefined;
}

const maximumPayload = 64 * 1024;

/**
 * Reads a google.cloud.secretmanager.v1.SecretPayload.
 *
 * @returns its bytes, and whether the client sent a checksum, which is right then
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/data-integrity
 */
export function parsePayload(value: unknown): { data: Buffer; checked: boolean } {
  const payload = (value ?? {}) as Message;
  requireSupported(payload, ['data', 'dataCrc32c', '_dataCrc32c']);
  const data = (payload['data'] as Buffer | undefined) ?? Buffer.alloc(0);
  if (data.length === 0) throw invalidArgument('Secret Payload cannot be empty.');
  if (data.length > maximumPayload) {
    throw invalidArgument(
      `Secret Payload is too large: ${data.length} bytes, and at most ${maximumPayload} are allowed.`,
    );
  }
  const checksum = payload['dataCrc32c'];
  if (checksum !== undefined && Number(checksum) !== crc32c(data)) {
    throw invalidArgument('Provided SecretPayload.data crc32c does not match calculated crc32c.');
  }
  return { data, checked: checksum !== undefined };
}

/** The google.cloud.secretmanager.v1.AccessSecretVersionResponse. @throws FAILED_PRECONDITION unless it is enabled */
export function access({ name, state, payload }: SecretVersion): Message {
  if (state !== 'ENABLED' || payload === undefined) {
    throw failedPrecondition(`Secret Version [${name}] is in ${state} state.`);
  }
  return { name, payload: { data: payload, dataCrc32c: String(crc32c(payload)) } };
}

/** The google.cloud.secretmanager.v1.SecretVersion; in JSON what notifications carry. */
export function toVersion(version: SecretVersion, replication: Replication): Message {
  const { destroyTime } = version;
  return {
    name: version.name,
    createTime: new Timestamp(version.createTime),
    ...(destroyTime !== undefined && { destroyTime: new Timestamp(destroyTime) }),
    state: version.state,
    // Without keys of customers it says what the policy says.
    replicationStatus: replication,
    etag: version.etag,
    ...(version.clientSpecifiedChecksum && { clientSpecifiedPayloadChecksum: true }),
  };
}
