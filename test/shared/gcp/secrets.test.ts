import { createRequire } from 'node:module';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError, startGrpcServer } from '../../../local/grpc/server.ts';
import { type LocalSecretManager, startSecretManager } from '../../../local/secretmanager/index.ts';
import { config } from '../../../shared/config.ts';
import { crc32c } from '../../../shared/gcp/crc32c.ts';
import { closeSecretManager, secretManager } from '../../../shared/gcp/secretmanager.ts';
import {
  accessVersion,
  addVersion,
  createSecret,
  deleteSecret,
  destroyVersion,
  disableVersion,
  findSecret,
  getSecret,
  listVersions,
  SecretChanged,
  updateSecret,
} from '../../../shared/gcp/secrets.ts';

let server: LocalSecretManager;

beforeAll(async () => {
  server = await startSecretManager({ project: 'acme' });
  Object.assign(process.env, {
    GOOGLE_CLOUD_PROJECT: 'acme',
    METADATA_SERVER_DETECTION: 'none',
    SECRETMANAGER_EMULATOR_HOST: server.host,
  });
});

afterEach(() => {
  server.intercept = undefined;
});

afterAll(async () => {
  await closeSecretManager();
  await server.close();
});

let ids = 0;

/** A secret with these values. */
async function newSecret(...values: readonly string[]): Promise<string> {
  ids += 1;
  const id = `secret-${ids}`;
  await createSecret(id, { labels: {}, annotations: {} });
  for (const value of values) await addVersion(id, Buffer.from(value));
  return id;
}

/** Has a method fail so often. @returns how often it was called since */
function fail(method: string, code: status, times: number, phase: 'before' | 'after' = 'before') {
  const seen = { calls: 0 };
  server.intercept = (call) => {
    if (call.method !== method) return;
    if (call.phase === 'before') seen.calls += 1;
    if (call.phase === phase && seen.calls <= times) throw new GrpcError(code, 'not now');
  };
  return seen;
}

const missing = 'secret-of-nobody';

/** A call of each kind, about a secret with one version. */
const calls: Record<string, (id: string) => Promise<unknown>> = {
  GetSecret: (id) => findSecret(id),
  ListSecretVersions: (id) => listVersions(id),
  AccessSecretVersion: (id) => accessVersion(id, 1),
  DisableSecretVersion: (id) => disableVersion(id, 1),
  DestroySecretVersion: (id) => destroyVersion(id, 1),
  DeleteSecret: (id) => deleteSecret(id),
  CreateSecret: (id) => createSecret(`${id}-more`, { labels: {}, annotations: {} }),
  UpdateSecret: async (id) => updateSecret(await getSecret(id), { labels: { team: 'billing' } }),
  AddSecretVersion: (id) => addVersion(id, Buffer.from('more')),
};
const onlyOnce = ['CreateSecret', 'UpdateSecret', 'AddSecretVersion'];

describe('a call that is refused for now', () => {
  it.each(Object.keys(calls))('%s is sent again where a quota is exhausted', async (method) => {
    const id = await newSecret('one');
    const seen = fail(method, status.RESOURCE_EXHAUSTED, 2);
    await calls[method]?.(id);
    expect(seen.calls).toBe(3);
  });

  it.each(Object.keys(calls).filter((method) => !onlyOnce.includes(method)))(
    '%s is sent again where the service may not have got it: twice is once',
    async (method) => {
      const id = await newSecret('one');
      const seen = fail(method, status.UNAVAILABLE, 1, 'after');
      await calls[method]?.(id);
      expect(seen.calls).toBe(2);
    },
  );

  it.each(onlyOnce)('%s is not: it may have been done', async (method) => {
    const id = await newSecret('one');
    const seen = fail(method, status.UNAVAILABLE, 1, 'after');
    await expect(calls[method]?.(id)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(seen.calls).toBe(1);
  });

  it('may have added a version whose answer was lost', async () => {
    const id = await newSecret('one');
    fail('AddSecretVersion', status.UNAVAILABLE, 1, 'after');
    await expect(addVersion(id, Buffer.from('two'))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect((await accessVersion(id, 2)).toString()).toBe('two');
  });

  it('for good is not sent again', async () => {
    const id = await newSecret('one');
    const seen = fail('AccessSecretVersion', status.PERMISSION_DENIED, 9);
    await expect(accessVersion(id, 1)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(seen.calls).toBe(1);
  });
});

describe('a secret', () => {
  it('is created with its labels and annotations, once', async () => {
    const fields = { labels: { team: 'billing' }, annotations: { 'drover.managed': '{"kind":"random"}' } };
    const created = await createSecret('app-billing', fields);
    expect(created).toEqual({ id: 'app-billing', etag: expect.any(String), aliases: {}, ...fields });
    expect(await createSecret('app-billing', { labels: {}, annotations: {} })).toBeUndefined();
    expect(await getSecret('app-billing')).toEqual(created);
  });

  it('is kept where Google chooses, or in the regions that the configuration names', async () => {
    const replicationOf = async (id: string) => {
      const client = await secretManager();
      const [secret] = await client.getSecret({ name: `projects/acme/secrets/${id}` });
      return secret.replication;
    };
    expect(await replicationOf(await newSecret())).toMatchObject({ replication: 'automatic' });

    const regions = config().DROVER_SECRET_LOCATIONS;
    regions.push('europe-west1', 'europe-west4');
    const id = await newSecret();
    regions.length = 0;
    expect((await replicationOf(id))?.userManaged?.replicas?.map(({ location }) => location)).toEqual([
      'europe-west1',
      'europe-west4',
    ]);
  });

  it('that isn’t there is found to be so', async () => {
    expect(await findSecret(missing)).toBeUndefined();
    await expect(getSecret(missing)).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
      retryable: false,
      details: { name: missing },
    });
    await deleteSecret(missing);
    await expect(listVersions(missing)).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('is deleted with its versions', async () => {
    const id = await newSecret('one');
    await deleteSecret(id);
    expect(await findSecret(id)).toBeUndefined();
  });
});

describe('a change to a secret', () => {
  it('sets the fields that it has whole, and leaves the others', async () => {
    const id = await newSecret('one', 'two');
    const labelled = await updateSecret(await getSecret(id), {
      labels: { team: 'billing' },
      aliases: { current: 2, previous: 1 },
    });
    const changed = await updateSecret(labelled, { aliases: { current: 1 }, annotations: { note: 'x' } });
    expect(changed).toMatchObject({ labels: { team: 'billing' }, annotations: { note: 'x' } });
    expect(changed.aliases).toEqual({ current: 1 });
    expect(await getSecret(id)).toEqual(changed);
  });

  it('is refused where somebody else has changed it since it was read', async () => {
    const id = await newSecret('one');
    const read = await getSecret(id);
    const others = await updateSecret(read, { labels: { team: 'billing' } });
    const late = updateSecret(read, { aliases: { current: 1 } });
    await expect(late).rejects.toBeInstanceOf(SecretChanged);
    await expect(late).rejects.toMatchObject({ code: 'SECRET_CHANGED', retryable: true });
    expect(await getSecret(id)).toEqual(others);
  });

  it('of one that is gone is no change', async () => {
    const id = await newSecret('one');
    const read = await getSecret(id);
    await deleteSecret(id);
    await expect(updateSecret(read, { labels: {} })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});

describe('versions', () => {
  it('are listed with their states, the newest first', async () => {
    const id = await newSecret('one', 'two', 'three');
    await disableVersion(id, 2);
    await destroyVersion(id, 1);
    const versions = await listVersions(id);
    expect(versions.map(({ number, state }) => [number, state])).toEqual([
      [3, 'ENABLED'],
      [2, 'DISABLED'],
      [1, 'DESTROYED'],
    ]);
    for (const { createdAt } of versions)
      expect(Math.abs(Date.now() - createdAt.getTime())).toBeLessThan(60_000);
  });

  it('have the bytes that were added', async () => {
    const id = await newSecret();
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { number, state } = await addVersion(id, value);
    expect({ number, state }).toEqual({ number: 1, state: 'ENABLED' });
    expect((await accessVersion(id, 1)).equals(value)).toBe(true);
  });

  it('that are not enabled can’t be read', async () => {
    const id = await newSecret('one');
    await disableVersion(id, 1);
    await expect(accessVersion(id, 1)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await expect(accessVersion(id, 7)).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('that were destroyed stay so, and nobody is troubled by it', async () => {
    const id = await newSecret('one');
    for (const change of [destroyVersion, destroyVersion, disableVersion]) await change(id, 1);
    expect(await listVersions(id)).toMatchObject([{ state: 'DESTROYED' }]);
  });
});

describe('a value that arrives damaged', () => {
  it('is not used, and is read again by whoever tries again', async () => {
    const value = Buffer.from('the value');
    let checksum: number | undefined = crc32c(value) ^ 1;
    const protoJson = join(
      createRequire(import.meta.url).resolve('@google-cloud/secret-manager'),
      '../../protos/protos.json',
    );
    const AccessSecretVersion = () => ({
      payload: { data: value, ...(checksum === undefined ? {} : { dataCrc32c: String(checksum) }) },
    });
    const damaging = await startGrpcServer({
      protoJson,
      services: { 'google.cloud.secretmanager.v1.SecretManagerService': { unary: { AccessSecretVersion } } },
      port: 0,
      intercept: () => undefined,
    });
    await closeSecretManager();
    process.env['SECRETMANAGER_EMULATOR_HOST'] = `127.0.0.1:${damaging.port}`;
    try {
      const error = await accessVersion('app', 1).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', retryable: true });
      expect(error.message).not.toContain('the value');
      checksum = crc32c(value);
      expect((await accessVersion('app', 1)).toString()).toBe('the value');
      checksum = undefined;
      expect((await accessVersion('app', 1)).toString()).toBe('the value');
    } finally {
      await closeSecretManager();
      process.env['SECRETMANAGER_EMULATOR_HOST'] = server.host;
      await damaging.close();
    }
  });
});
