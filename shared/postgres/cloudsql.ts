import type { Socket } from 'node:net';
import type { Connector } from '@google-cloud/cloud-sql-connector';
import type pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import type { LoginSettings } from './connectors.ts';

type CloudSqlSettings = Extract<LoginSettings, { connector: 'cloudsql' }>;

/** Reaches Cloud SQL instances through mutual TLS, with certificates that the Admin API signs for an hour. */
export interface CloudSqlConnector {
  clientConfig(
    instance: string,
    settings: CloudSqlSettings,
  ): Promise<Pick<pg.ClientConfig, 'stream' | 'ssl'>>;
  close(): Promise<void>;
}

/** The connector's library is loaded when the first instance needs it. */
export function createCloudSqlConnector(): CloudSqlConnector {
  const connectors = new Map<string, Promise<Connector>>();
  const ways = new Map<string, Promise<Pick<pg.ClientConfig, 'stream'>>>();

  const connectorFor = (adminApi = ''): Promise<Connector> => {
    const known = connectors.get(adminApi);
    if (known !== undefined) return known;
    const loading = load(adminApi);
    connectors.set(adminApi, loading);
    return loading;
  };

  const openWay = async (instance: string, { ipType, password, adminApi }: CloudSqlSettings) => {
    const { AuthTypes, IpAddressTypes } = await import('@google-cloud/cloud-sql-connector');
    const connector = await connectorFor(adminApi);
    const options = {
      instanceConnectionName: instance,
      ipType: IpAddressTypes[ipType],
      authType: password === undefined ? AuthTypes.IAM : AuthTypes.PASSWORD,
    };
    try {
      const { stream } = await connector.getOptions(options);
      return { stream: () => reachedBefore(stream()) };
    } catch (error) {
      // The library keeps a failed first attempt and throws it once more: let it do so now, not to the next caller.
      await connector.getOptions(options).catch(() => undefined);
      throw explain(error, instance);
    }
  };

  return {
    async clientConfig(instance, settings) {
      const key = JSON.stringify([
        instance,
        settings.ipType,
        settings.password === undefined,
        settings.adminApi,
      ]);
      const way = ways.get(key) ?? openWay(instance, settings);
      ways.set(key, way);
      try {
        // The stream is encrypted already: ssl would be a second layer that the server doesn't offer.
        return { ...(await way), ssl: false };
      } catch (error) {
        ways.delete(key);
        throw error;
      }
    },
    async close() {
      const all = await Promise.all(connectors.values());
      // A request that fails after the library was closed would be an unhandled rejection; and nobody waits for it.
      void Promise.allSettled(ways.values()).then(() => {
        for (const connector of all) connector.close();
      });
    },
  };
}

/**
 * A socket that fails has the library fetch a new certificate. Where that fails too and the instance was never reached
 * before, the library (1.13.0) leaves an unhandled rejection behind, which ends the process. An instance that was
 * reached it tries again every 30 s: so it is told, in the moment of the failure, that this one was.
 */
function reachedBefore(socket: Socket): Socket {
  const noteConnection = socket.listeners('secureConnect');
  socket.prependOnceListener('error', () => {
    for (const note of noteConnection) note.call(socket);
  });
  return socket;
}

async function load(adminApi: string): Promise<Connector> {
  const { Connector } = await import('@google-cloud/cloud-sql-connector');
  return new Connector(adminApi === '' ? {} : { sqlAdminAPIEndpoint: adminApi });
}

/** What the Admin API refuses, by HTTP status, and what the connector finds wrong with its answers, by its own codes. */
function explain(error: unknown, instance: string): OperationError {
  const because = error instanceof Error ? error.message : String(error);
  switch (statusOf(error) ?? codeOf(error)) {
    case 404:
    case 'EBADSQLADMINREGION':
      return new OperationError('INSTANCE_NOT_FOUND', `Cloud SQL has no instance ${instance}: ${because}`, {
        cause: error,
      });
    case 403:
      return new OperationError(
        'INSTANCE_FORBIDDEN',
        `Cloud SQL refuses access to ${instance}; the function's service account needs roles/cloudsql.client: ${because}`,
        { cause: error },
      );
    case 401:
      return new OperationError(
        'AUTHENTICATION_FAILED',
        `Cloud SQL's Admin API refuses the credentials of this function for ${instance}: ${because}`,
        { retryable: true, cause: error },
      );
    case 'ENOPRIVATESQLADMINIPADDRESS':
    case 'ENOPUBLICSQLADMINIPADDRESS':
    case 'ENOPSCSQLADMINIPADDRESS':
      return new OperationError(
        'INSTANCE_UNREACHABLE',
        `${instance} has no address of the ipType that its entry of DROVER_INSTANCES asks for: ${because}`,
        { cause: error },
      );
    default:
      return new OperationError('INSTANCE_UNREACHABLE', `The way to ${instance} can't be found: ${because}`, {
        retryable: true,
        cause: error,
      });
  }
}

function statusOf(error: unknown): number | undefined {
  const status = error instanceof Object && 'status' in error ? error.status : undefined;
  return typeof status === 'number' ? status : undefined;
}

function codeOf(error: unknown): unknown {
  return error instanceof Object && 'code' in error ? error.code : undefined;
}
