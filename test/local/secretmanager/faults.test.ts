import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { GrpcError, type InterceptedCall } from '../../../local/grpc/server.ts';
import { accessText, newSecret, newVersion, useSecretManager } from './fixture.ts';

const cloud = useSecretManager();

describe('an interceptor', () => {
  test.each([
    ['PERMISSION_DENIED', "Permission 'secretmanager.versions.add' denied"],
    ['UNAVAILABLE', 'The service is currently unavailable.'],
    ['RESOURCE_EXHAUSTED', "Quota exceeded for quota metric 'Write requests'"],
  ] as const)('that throws %s before a call is all that happens', async (name, details) => {
    const { name: parent } = await newSecret(cloud);
    cloud.server.intercept = ({ method }) => {
      if (method === 'AddSecretVersion') throw new GrpcError(status[name], details);
    };
    await expect(newVersion(cloud, parent)).rejects.toMatchObject({ code: status[name], details });
    expect((await cloud.client.listSecretVersions({ parent }))[0]).toEqual([]);
  });

  test('that throws after a call loses its answer only', async () => {
    const { name: parent } = await newSecret(cloud);
    cloud.server.intercept = ({ phase }) => {
      if (phase === 'after') throw new GrpcError(status.UNAVAILABLE, 'lost');
    };
    await expect(newVersion(cloud, parent, 'kept')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    cloud.server.intercept = undefined;
    expect(await accessText(cloud, `${parent}/versions/1`)).toBe('kept');
  });

  test('sees method, phase and request, and can hold a call', async () => {
    const { name: parent } = await newSecret(cloud);
    const { name } = await newVersion(cloud, parent);
    const calls: InterceptedCall[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    cloud.server.intercept = async (call) => {
      calls.push(call);
      if (call.method === 'AccessSecretVersion') await promise;
    };
    const access = accessText(cloud, name);
    await cloud.client.disableSecretVersion({ name });
    resolve();
    await expect(access).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(calls).toMatchObject([
      { method: 'AccessSecretVersion', phase: 'before', request: { name } },
      { method: 'DisableSecretVersion', phase: 'before', request: { name } },
      { method: 'DisableSecretVersion', phase: 'after', request: { name } },
    ]);
  });

  test('is met once by a caller who turns off the retries that the client makes of AccessSecretVersion', async () => {
    const { name: parent } = await newSecret(cloud);
    const { name } = await newVersion(cloud, parent);
    let calls = 0;
    cloud.server.intercept = () => {
      calls += 1;
      throw new GrpcError(status.RESOURCE_EXHAUSTED, 'Quota exceeded');
    };
    await expect(
      cloud.client.accessSecretVersion({ name }, { retry: { retryCodes: [] } }),
    ).rejects.toMatchObject({ code: 8 });
    expect(calls).toBe(1);
  });
});
