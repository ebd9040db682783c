import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type CertificateAuthority, createCertificateAuthority } from './authority.ts';
import { startProxy, units } from './proxy.ts';

export interface SqlInstance {
  /** `project:region:name`. */
  readonly name: string;
  /** Where the PostgreSQL that plays the instance listens on 127.0.0.1. */
  readonly postgresPort: number;
  /** As Cloud SQL writes it. */
  readonly databaseVersion?: string;
  /** The address on loopback where the instance is to be reached on port 3307; by default one of its own. */
  readonly address?: string;
  /** Kinds of address that the instance has; by default both. */
  readonly ipTypes?: readonly ('PRIMARY' | 'PRIVATE')[];
  /** Passwords of the roles that stand for IAM principals. */
  readonly iamPasswords?: Readonly<Record<string, string>>;
  /** Has the instance show a certificate that the API doesn't vouch for. */
  readonly impostor?: boolean;
}

export interface SqlAdminOptions {
  readonly instances: readonly SqlInstance[];
  readonly port?: number;
  /** Who may connect; by default every principal. */
  readonly clients?: readonly string[];
  readonly onCall?: (method: string) => void;
}

export interface SqlAdmin {
  /** Root of the Admin API. */
  readonly url: string;
  /**
   * What a file that GOOGLE_APPLICATION_CREDENTIALS names has to hold, so that Google's libraries act as a principal
   * here: an `external_account` whose tokens this server issues (RFC 8693).
   */
  credentials(principal: string): string;
  close(): Promise<void>;
}

/** An answer that isn't 200, as Google's APIs write it. */
class ApiError extends Error {
  readonly httpStatus: number;
  readonly reason: string;

  constructor(httpStatus: number, reason: string, message: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.reason = reason;
  }
}

/**
 * Serves what the Cloud SQL connector needs: two methods of the Admin API, the tokens to call them with, and for each
 * instance the TLS end that leads to a PostgreSQL server. Any other method answers 501.
 */
export async function startSqlAdmin(options: SqlAdminOptions): Promise<SqlAdmin> {
  const servers = await createCertificateAuthority('Cloud SQL Server CA');
  const clients = await createCertificateAuthority('Cloud SQL Client CA');
  const impostors = await createCertificateAuthority('Cloud SQL Server CA');
  const tokens = new Map<string, string>();
  const instances = options.instances.map((instance) => ({ address: freeAddress(), ...instance }));
  const proxies = await Promise.all(
    instances.map(({ name, address, postgresPort, iamPasswords = {}, impostor }) => {
      const [project, , id] = name.split(':');
      return startProxy({
        address,
        commonName: `${project}:${id}`,
        postgresPort,
        clients,
        servers: impostor ? impostors : servers,
        iamPassword: (role) => iamPasswords[role],
      });
    }),
  );

  const principalOf = (token: string | undefined): string => {
    const principal = tokens.get(token ?? '');
    if (principal === undefined) throw new ApiError(401, 'authError', 'Invalid Credentials');
    return principal;
  };
  const authorize = (request: IncomingMessage) => {
    const principal = principalOf(request.headers.authorization?.replace(/^Bearer /, ''));
    if (options.clients?.includes(principal) === false) {
      throw new ApiError(403, 'notAuthorized', 'The client is not authorized to make this request.');
    }
  };
  const find = (project: string, id: string) => {
    const found = instances.find(({ name }) => name.startsWith(`${project}:`) && name.endsWith(`:${id}`));
    if (found) return found;
    throw new ApiError(404, 'instanceDoesNotExist', 'The Cloud SQL instance does not exist.');
  };

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const call = `${request.method} ${decodeURIComponent(pathname)}`;
    const [, asked] = call.match(/^GET \/subject-token\/(.+)$/) ?? [];
    if (asked !== undefined) return { subject_token: asked };
    if (call === 'POST /token') return exchange(new URLSearchParams(await text(request)), tokens);

    const [, project = '', id = '', method] =
      call.match(
        /^(?:GET|POST) \/sql\/v1beta4\/projects\/([^/]+)\/instances\/([^/:]+)[/:](connectSettings|generateEphemeralCert)$/,
      ) ?? [];
    if (method === undefined) throw new ApiError(501, 'notImplemented', `${call} is not implemented here`);
    options.onCall?.(method);
    authorize(request);
    const instance = find(project, id);
    return method === 'connectSettings'
      ? connectSettings(instance, servers)
      : ephemeralCertificate(JSON.parse(await text(request)), principalOf, clients);
  };

  const server = createServer((request, response) => {
    answer(request).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error: unknown) => {
        const { httpStatus, reason, message } =
          error instanceof ApiError ? error : new ApiError(500, 'internalError', String(error));
        const body = {
          error: { code: httpStatus, message, errors: [{ message, domain: 'global', reason }] },
        };
        response.writeHead(httpStatus, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
    );
  }).listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    credentials: (principal) => JSON.stringify(externalAccount(url, principal)),
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await Promise.all([once(server, 'close'), ...proxies.map((proxy) => proxy.close())]);
    },
  };
}

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/connect/get */
function connectSettings(instance: SqlInstance & { address: string }, servers: CertificateAuthority) {
  return {
    kind: 'sql#connectSettings',
    serverCaCert: { kind: 'sql#sslCert', cert: servers.cert, expirationTime: servers.expires.toISOString() },
    ipAddresses: (instance.ipTypes ?? ['PRIMARY', 'PRIVATE']).map((type) => ({
      type,
      ipAddress: instance.address,
    })),
    region: instance.name.split(':').at(-2),
    databaseVersion: instance.databaseVersion ?? 'POSTGRES_18',
    backendType: 'SECOND_GEN',
    serverCaMode: 'GOOGLE_MANAGED_INTERNAL_CA',
  };
}

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/connect/generateEphemeralCert */
async function ephemeralCertificate(
  body: { public_key: string; access_token?: string },
  principalOf: (token: string) => string,
  clients: CertificateAuthority,
) {
  const subject =
    body.access_token === undefined
      ? { unit: units.password, commonName: 'client' }
      : { unit: units.iam, commonName: principalOf(body.access_token) };
  return {
    ephemeralCert: { kind: 'sql#sslCert', cert: await clients.issueClient(body.public_key, subject) },
  };
}

/** RFC 8693, section 2; whoever reaches this server on loopback may be anyone. */
function exchange(request: URLSearchParams, tokens: Map<string, string>) {
  const token = `local-${randomBytes(16).toString('hex')}`;
  tokens.set(token, request.get('subject_token') ?? '');
  return {
    access_token: token,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3600,
  };
}

function externalAccount(url: string, principal: string) {
  return {
    type: 'external_account',
    // One with a project's number would have Google's library look the project's name up at Google.
    audience: '//iam.googleapis.com/locations/global/workforcePools/local/providers/local',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${url}/token`,
    credential_source: {
      url: `${url}/subject-token/${encodeURIComponent(principal)}`,
      format: { type: 'json', subject_token_field_name: 'subject_token' },
    },
  };
}

/** Parallel runs must not meet on port 3307. Only Linux has more than one address on loopback without being asked. */
function freeAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  return ['127', ...Array.from({ length: 3 }, () => String(randomInt(1, 255)))].join('.');
}
