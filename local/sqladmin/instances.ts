import { randomInt } from 'node:crypto';
import { ApiError, notImplemented } from '../http/api-error.ts';
import type { Call } from './call.ts';

export interface SqlInstance {
  /** `project:region:name`. */
  readonly name: string;
  /**
   * Where the PostgreSQL that plays the instance listens on 127.0.0.1. Without it nobody can connect by way of this
   * API.
   */
  readonly postgresPort?: number;
  /** The database `postgres` there, as the superuser `cloudsqladmin`. Without it users and databases answer 501. */
  readonly superuserUrl?: string;
  /** The password of the IAM logins that are made here; by default one that nobody knows. */
  readonly loginPassword?: string;
  /** As Cloud SQL writes it. */
  readonly databaseVersion?: string;
  /** The address on loopback where the instance is to be reached on port 3307; by default one of its own. */
  readonly address?: string;
  /** Kinds of address that the instance has; by default both. */
  readonly ipTypes?: readonly ('PRIMARY' | 'PRIVATE')[];
  /** Passwords of the roles that stand for IAM principals and were not made here. */
  readonly iamPasswords?: Readonly<Record<string, string>>;
  /** Has the instance show a certificate that the API doesn't vouch for. */
  readonly impostor?: boolean;
}

/** Answers a call about one instance. */
export type InstanceHandler = (call: Call, instance: SqlInstance) => unknown;

export const defaultVersion = 'POSTGRES_18';

/** @throws ApiError 404 */
export function findInstance(
  instances: readonly SqlInstance[],
  { project, instance }: Call['path'],
): SqlInstance {
  const found = instances.find(({ name }) => {
    const parts = partsOf(name);
    return parts.project === project && parts.id === instance;
  });
  if (found) return found;
  throw new ApiError(404, 'instanceDoesNotExist', 'The Cloud SQL instance does not exist.');
}

/** The parts of `project:region:name`, where a domain-scoped project has a colon of its own. */
export function partsOf(name: string): { project: string; region: string; id: string } {
  const parts = name.split(':');
  const [region = '', id = ''] = parts.slice(-2);
  return { project: parts.slice(0, -2).join(':'), region, id };
}

/** @throws ApiError 501 for an instance that is here for connecting only */
export function superuserUrlOf({ name, superuserUrl }: SqlInstance): string {
  if (superuserUrl === undefined) throw notImplemented(`anything but connecting to ${name}`);
  return superuserUrl;
}

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/instances#DatabaseInstance */
export function describeInstance(instance: SqlInstance): Record<string, unknown> {
  const { project, region, id } = partsOf(instance.name);
  return {
    kind: 'sql#instance',
    state: 'RUNNABLE',
    databaseVersion: instance.databaseVersion ?? defaultVersion,
    settings: {
      kind: 'sql#settings',
      databaseFlags: [{ name: 'cloudsql.iam_authentication', value: 'on' }],
    },
    instanceType: 'CLOUD_SQL_INSTANCE',
    project,
    backendType: 'SECOND_GEN',
    connectionName: instance.name,
    name: id,
    region,
    ipAddresses: addressesOf(instance),
  };
}

export function addressesOf({ address, ipTypes = ['PRIMARY', 'PRIVATE'] }: SqlInstance): unknown[] {
  return ipTypes.map((type) => ({ type, ipAddress: address }));
}

/** Parallel runs must not meet on port 3307. Only Linux has more than one address on loopback without being asked. */
export function freeAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  return ['127', ...Array.from({ length: 3 }, () => String(randomInt(1, 255)))].join('.');
}
