import { notImplemented } from '../http/api-error.ts';
import { createCertificateAuthority } from './authority.ts';
import { addressesOf, defaultVersion, type InstanceHandler, partsOf, type SqlInstance } from './instances.ts';
import { startProxy, units } from './proxy.ts';
import type { Tokens } from './tokens.ts';

/** What the Cloud SQL connector needs: two methods, and for each instance the TLS end that leads to PostgreSQL. */
export interface Connecting {
  readonly methods: Readonly<Record<string, InstanceHandler>>;
  close(): Promise<void>;
}

/**
 * Starts the TLS ends of the instances that have a PostgreSQL port.
 *
 * @param iamPassword the password of the role that stands for an IAM principal in an instance
 */
export async function startConnecting(
  instances: readonly (SqlInstance & { address: string })[],
  tokens: Tokens,
  iamPassword: (instance: SqlInstance, role: string) => string | undefined,
): Promise<Connecting> {
  const servers = await createCertificateAuthority('Cloud SQL Server CA');
  const clients = await createCertificateAuthority('Cloud SQL Client CA');
  const impostors = await createCertificateAuthority('Cloud SQL Server CA');
  const proxies = await Promise.all(
    instances.map(async (instance) => {
      const { name, address, postgresPort, impostor } = instance;
      if (postgresPort === undefined) return undefined;
      const { project, id } = partsOf(name);
      return startProxy({
        address,
        commonName: `${project}:${id}`,
        postgresPort,
        clients,
        servers: impostor ? impostors : servers,
        iamPassword: (role) => iamPassword(instance, role),
      });
    }),
  );
  const serverCaCert = {
    kind: 'sql#sslCert',
    cert: servers.cert,
    expirationTime: servers.expires.toISOString(),
  };
  return {
    methods: {
      /** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/connect/get */
      connectSettings(_, instance) {
        mustBeReachable(instance);
        return {
          kind: 'sql#connectSettings',
          serverCaCert,
          ipAddresses: addressesOf(instance),
          region: partsOf(instance.name).region,
          databaseVersion: instance.databaseVersion ?? defaultVersion,
          backendType: 'SECOND_GEN',
          serverCaMode: 'GOOGLE_MANAGED_INTERNAL_CA',
        };
      },
      /** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/connect/generateEphemeralCert */
      async generateEphemeralCert({ body }, instance) {
        mustBeReachable(instance);
        const token = body['access_token'];
        const subject =
          token === undefined
            ? { unit: units.password, commonName: 'client' }
            : { unit: units.iam, commonName: tokens.principalOf(String(token)) };
        const cert = await clients.issueClient(String(body['public_key']), subject);
        return { ephemeralCert: { kind: 'sql#sslCert', cert } };
      },
    },
    async close() {
      await Promise.all(proxies.map((proxy) => proxy?.close()));
    },
  };
}

function mustBeReachable({ name, postgresPort }: SqlInstance): void {
  if (postgresPort === undefined) throw notImplemented(`connecting to ${name}`);
}
