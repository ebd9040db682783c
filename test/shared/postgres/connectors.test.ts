import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { serverUser } from '../../../local/postgres/binaries.ts';
import { type Cluster, createCluster } from '../../../local/postgres/cluster.ts';
import { type CertificateAuthority, createCertificateAuthority } from '../../../local/sqladmin/authority.ts';
import { type SqlAdmin, type SqlAdminOptions, startSqlAdmin } from '../../../local/sqladmin/server.ts';
import { type ConnectionSettings, connectionSettings } from '../../../shared/config.ts';
import { type Connectors, createConnectors } from '../../../shared/postgres/connectors.ts';
import { createPools } from '../../../shared/postgres/pools.ts';
import type { Target } from '../../../shared/postgres/target.ts';

const password = 'correct horse';
const iamPassword = 'never leaves the server';
const principal = 'drover-writer@project.iam.gserviceaccount.com';
const iamRole = 'drover-writer@project.iam';
const target: Target = { instance: 'project:europe-west1:main', database: 'postgres' };

let home: string;
let authority: CertificateAuthority;
let cluster: Cluster;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'drover-connectors-test-'));
  authority = await createCertificateAuthority('Test CA');
  const { key, cert } = await authority.issueServer('postgres', ['localhost']);
  cluster = await createCluster({
    superuser: 'postgres',
    password,
    settings: {
      ssl: 'on',
      ssl_cert_file: readableByServer('server.crt', cert),
      ssl_key_file: readableByServer('server.key', key),
    },
  });
  const admin = new pg.Client(cluster.url('postgres', password));
  await admin.connect();
  await admin.query(`CREATE ROLE "${iamRole}" LOGIN PASSWORD '${iamPassword}'`);
  await admin.end();
  vi.stubEnv('CONNECTORS_TEST_PASSWORD', password);
  // As everywhere; without it Google's libraries would look for the project at the metadata server.
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', 'project');
});

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  await cluster.remove();
  rmSync(home, { recursive: true });
});

/** A file in a directory that the server's user can enter, and whose key nobody else may read. */
function readableByServer(name: string, content: string): string {
  const file = path.join(home, name);
  writeFileSync(file, content, { mode: 0o600 });
  if (serverUser.uid !== undefined && serverUser.gid !== undefined) {
    for (const owned of [home, file]) chownSync(owned, serverUser.uid, serverUser.gid);
  }
  return file;
}

function connectors(): Connectors {
  const created = createConnectors();
  closers.push(() => created.close());
  return created;
}

/** Logs in the way that settings describe. */
async function connect(settings: object, by = connectors(), to = target): Promise<pg.Client> {
  const client = new pg.Client(await by.clientConfig(to, parsed(settings)));
  client.on('error', () => undefined);
  await client.connect();
  closers.push(() => client.end());
  return client;
}

function parsed(settings: object): ConnectionSettings {
  return connectionSettings.parse({ instances: 'project:europe-west1:*', ...settings });
}

async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('nothing was thrown'),
    (error: unknown) => error,
  );
}

describe('direct', () => {
  const direct = (overrides: object) => ({
    connector: 'direct',
    host: 'localhost',
    port: cluster.port,
    user: 'postgres',
    password: { env: 'CONNECTORS_TEST_PASSWORD' },
    ...overrides,
  });
  const encrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

  test('a server whose certificate the CA signed is trusted', async () => {
    const ca = path.join(home, 'ca.crt');
    writeFileSync(ca, authority.cert);

    const client = await connect(direct({ ca }));

    expect((await client.query(encrypted)).rows).toEqual([{ ssl: true }]);
  });

  test('a server whose certificate another CA signed is refused', async () => {
    const ca = path.join(home, 'other.crt');
    writeFileSync(ca, (await createCertificateAuthority('Test CA')).cert);

    const error = await thrownBy(connect(direct({ ca })));

    expect(error).toMatchObject({ code: 'CERT_SIGNATURE_FAILURE' });
  });

  test('a private certificate is refused where no CA is named', async () => {
    const error = await thrownBy(connect(direct({})));

    expect(error).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });

  test('a certificate for another host is refused', async () => {
    const ca = path.join(home, 'ca.crt');
    writeFileSync(ca, authority.cert);

    const error = await thrownBy(connect(direct({ host: '127.0.0.1', ca })));

    expect(error).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  test('TLS that is off stays off, whatever PGSSLMODE says', async () => {
    vi.stubEnv('PGSSLMODE', 'require');

    const client = await connect(direct({ tls: 'off' }));

    expect((await client.query(encrypted)).rows).toEqual([{ ssl: false }]);
    vi.stubEnv('PGSSLMODE', undefined);
  });

  test('the line break at the end of a password file is not part of the password', async () => {
    const file = path.join(home, 'password');
    writeFileSync(file, `${password}\n`);

    const client = await connect(direct({ tls: 'off', password: { file } }));

    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test.for([
    ['a variable that is not set', { env: 'CONNECTORS_TEST_UNSET' }, /CONNECTORS_TEST_UNSET/],
    ['a file that does not exist', { file: '/nonexistent/password' }, /\/nonexistent\/password/],
    ['no place at all', undefined, /asks postgres for a password/],
  ] as const)('a password in %s is said to be missing', async ([, source, text]) => {
    const error = await thrownBy(connect(direct({ tls: 'off', password: source })));

    expect(error).toMatchObject({ code: 'PASSWORD_UNREADABLE', message: expect.stringMatching(text) });
  });
});

describe('Cloud SQL', () => {
  async function cloud(options: Partial<SqlAdminOptions & SqlAdminOptions['instances'][number]> = {}) {
    const { clients, onCall, ...instance } = options;
    const admin = await startSqlAdmin({
      instances: [
        {
          name: target.instance,
          postgresPort: cluster.port,
          iamPasswords: { [iamRole]: iamPassword },
          ...instance,
        },
      ],
      ...(clients && { clients }),
      ...(onCall && { onCall }),
    });
    closers.push(() => admin.close());
    actAs(admin, principal);
    return admin;
  }

  function actAs(admin: SqlAdmin, who: string): void {
    const file = path.join(home, 'credentials.json');
    writeFileSync(file, admin.credentials(who));
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
  }

  const cloudsql = (admin: SqlAdmin, overrides: object) => ({
    connector: 'cloudsql',
    adminApi: admin.url,
    ...overrides,
  });
  const byPassword = { user: 'postgres', password: { env: 'CONNECTORS_TEST_PASSWORD' } };
  const byIam = { user: iamRole };
  const whoAmI = async (client: pg.Client) => (await client.query('SELECT session_user AS who')).rows[0].who;

  test('a login by password goes through the kind of address that is asked for', async () => {
    const admin = await cloud({ ipTypes: ['PRIVATE'] });

    const client = await connect(cloudsql(admin, { ...byPassword, ipType: 'PRIVATE' }));

    expect(await whoAmI(client)).toBe('postgres');
  });

  test('an instance without the kind of address that is asked for fails for good', async () => {
    const admin = await cloud({ ipTypes: ['PRIVATE'] });

    const error = await thrownBy(connect(cloudsql(admin, { ...byPassword, ipType: 'PUBLIC' })));

    expect(error).toMatchObject({ code: 'INSTANCE_UNREACHABLE', retryable: false });
  });

  test('a service account logs in without a password', async () => {
    const admin = await cloud();

    const client = await connect(cloudsql(admin, byIam));

    expect(await whoAmI(client)).toBe(iamRole);
  });

  test('a service account cannot log in as another one', async () => {
    const admin = await cloud();
    actAs(admin, 'someone-else@project.iam.gserviceaccount.com');

    const error = await thrownBy(connect(cloudsql(admin, byIam)));

    expect(error).toMatchObject({ code: '28P01', message: expect.stringContaining('IAM service account') });
  });

  test('a wrong password is refused by PostgreSQL', async () => {
    const admin = await cloud();
    vi.stubEnv('CONNECTORS_TEST_WRONG', 'wrong');

    const error = await thrownBy(
      connect(cloudsql(admin, { user: 'postgres', password: { env: 'CONNECTORS_TEST_WRONG' } })),
    );

    expect(error).toMatchObject({ code: '28P01' });
  });

  test('an instance that does not exist fails for good, each time', async () => {
    const admin = await cloud();
    const by = connectors();
    const missing = { ...target, instance: 'project:europe-west1:missing' };

    for (const attempt of [1, 2]) {
      const error = await thrownBy(connect(cloudsql(admin, byIam), by, missing));
      expect(error, `attempt ${attempt}`).toMatchObject({ code: 'INSTANCE_NOT_FOUND', retryable: false });
    }
  });

  test('an instance in another region than its name says fails for good', async () => {
    const admin = await cloud();
    const moved = { ...target, instance: 'project:europe-west4:main' };

    const error = await thrownBy(
      connect(cloudsql(admin, { ...byIam, instances: 'project:*:*' }), connectors(), moved),
    );

    expect(error).toMatchObject({ code: 'INSTANCE_NOT_FOUND', retryable: false });
  });

  test('a principal without access to the instance is told which role it needs', async () => {
    const admin = await cloud({ clients: ['someone-else@project.iam.gserviceaccount.com'] });

    const error = await thrownBy(connect(cloudsql(admin, byIam)));

    expect(error).toMatchObject({
      code: 'INSTANCE_FORBIDDEN',
      retryable: false,
      message: expect.stringContaining('roles/cloudsql.client'),
    });
  });

  test('an Admin API that is down fails for now, and the next call after it is up works', async () => {
    const admin = await cloud();
    const { port } = new URL(admin.url);
    const by = connectors();
    await admin.close();
    const errors = await Promise.all([1, 2, 3].map(() => thrownBy(connect(cloudsql(admin, byIam), by))));
    const again = await startSqlAdmin({
      port: Number(port),
      instances: [
        { name: target.instance, postgresPort: cluster.port, iamPasswords: { [iamRole]: iamPassword } },
      ],
    });
    closers.push(() => again.close());

    const client = await connect(cloudsql(again, byIam), by);

    for (const error of errors)
      expect(error).toMatchObject({ code: 'INSTANCE_UNREACHABLE', retryable: true });
    expect(await whoAmI(client)).toBe(iamRole);
  });

  test('an instance whose certificate the Admin API does not vouch for is refused', async () => {
    const admin = await cloud({ impostor: true });

    const error = await thrownBy(connect(cloudsql(admin, byPassword)));

    expect(error).toMatchObject({ code: 'CERT_SIGNATURE_FAILURE' });
  });

  test('the Admin API is asked again, where it refuses a new certificate after a failed connection', async () => {
    const calls: string[] = [];
    const clients = [principal];
    const admin = await cloud({ impostor: true, clients, onCall: (method) => calls.push(method) });
    const by = connectors();
    const config = await by.clientConfig(target, parsed(cloudsql(admin, byPassword)));
    clients.pop();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });

    await thrownBy(new pg.Client(config).connect());

    // The library waits for half a minute; an unhandled rejection would fail this test.
    await vi.waitFor(
      () => {
        vi.advanceTimersByTime(1_000);
        expect(calls.filter((method) => method === 'connectSettings')).toHaveLength(3);
      },
      { interval: 5, timeout: 20_000 },
    );
  });

  test('a client with a certificate that the Admin API did not sign does not reach PostgreSQL', async () => {
    const address = '127.76.13.7';
    await cloud({ address });
    const stranger = await (await createCertificateAuthority('Cloud SQL Client CA')).issueServer(
      'client',
      [],
    );

    const socket = connectTls({ host: address, port: 3307, ...stranger, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    // SSLRequest, which PostgreSQL answers with one byte.
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    const answer = await buffer(socket).catch(() => Buffer.alloc(0));

    expect(answer).toHaveLength(0);
  });

  test('what this Admin API does not have answers 501', async () => {
    const admin = await cloud();

    const response = await fetch(`${admin.url}/sql/v1beta4/projects/project/tiers`);

    expect(response.status).toBe(501);
    expect(await response.json()).toMatchObject({ error: { code: 501 } });
  });

  test('a pool over Cloud SQL asks the Admin API once and sets its sessions up', async () => {
    const calls: string[] = [];
    const admin = await cloud({ onCall: (method) => calls.push(method) });
    const pools = createPools({
      DROVER_INSTANCES: [parsed(cloudsql(admin, byIam))],
      DROVER_CONNECTIONS_PER_DATABASE: 3,
      DROVER_CONNECTIONS_PER_INSTANCE: 20,
      DROVER_CONNECTIONS_PER_PROCESS: 60,
      DROVER_CONNECTION_WAIT_SECONDS: 30,
      FUNCTION_TARGET: 'grant-roles',
      DROVER_LEASE_SECONDS: 60,
    });
    closers.push(() => pools.close(0));

    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        pools.withConnection(target, { signal: new AbortController().signal }, async (client) => {
          const { rows } = await client.query(
            `SELECT current_setting('application_name') AS name, current_setting('search_path') AS path, pg_backend_pid() AS pid`,
          );
          return rows[0];
        }),
      ),
    );

    expect(answers[0]).toMatchObject({ name: 'drover/grant-roles', path: '' });
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(3);
    expect(calls).toEqual(['connectSettings', 'generateEphemeralCert']);
  });
});
