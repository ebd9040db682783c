import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import type { ConnectionSettings } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { createCloudSqlConnector } from './cloudsql.ts';
import { type PasswordSource, readPassword } from './password.ts';
import type { Target } from './target.ts';

type WithSource<S> = S extends unknown
  ? Omit<S, 'password'> & { password?: PasswordSource | undefined }
  : never;

/** How to reach an instance, and as whom: as the configuration says, or with a password that the caller has. */
export type LoginSettings = WithSource<ConnectionSettings>;

type DirectSettings = Extract<LoginSettings, { connector: 'direct' }>;

/** Turns targets into what node-postgres needs to reach them. */
export interface Connectors {
  /**
   * The way to a target and the login there, without anything that is about the session.
   *
   * @throws OperationError where Cloud SQL's API refuses, see `cloudsql.ts`
   */
  clientConfig(target: Target, settings: LoginSettings): Promise<pg.ClientConfig>;
  /** Stops what keeps certificates fresh. Connections that are open stay open. */
  close(): Promise<void>;
}

export function createConnectors(): Connectors {
  const cloudSql = createCloudSqlConnector();
  return {
    async clientConfig(target, settings) {
      return {
        ...(settings.connector === 'direct'
          ? await directConfig(settings)
          : await cloudSql.clientConfig(target.instance, settings)),
        user: settings.user,
        database: target.database,
        password: passwordOf(settings),
      };
    },
    close: () => cloudSql.close(),
  };
}

async function directConfig({ host, port, tls, ca }: DirectSettings): Promise<pg.ClientConfig> {
  // Always said, because node-postgres would take PGSSLMODE for an answer.
  if (tls === 'off') return { host, port, ssl: false };
  // node-postgres passes the host on, so that its name is checked too (RFC 6125).
  const trusted = ca === undefined ? {} : { ca: await readCertificate(ca) };
  return { host, port, ssl: { ...trusted, rejectUnauthorized: true } };
}

async function readCertificate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new OperationError(
      'CERTIFICATE_UNREADABLE',
      `The file ${path}, which DROVER_INSTANCES names as the certificate authority, can't be read.`,
      { retryable: true, cause: error },
    );
  }
}

/** A function, which node-postgres calls for every new connection whose server asks for a password. */
function passwordOf({ user, password }: LoginSettings): () => Promise<string> {
  return async () => {
    // Left out, node-postgres would look into PGPASSWORD and ~/.pgpass.
    if (password !== undefined) return readPassword(password);
    throw new OperationError(
      'PASSWORD_UNREADABLE',
      `The server asks ${user} for a password, but the entry of DROVER_INSTANCES has none.`,
    );
  };
}
