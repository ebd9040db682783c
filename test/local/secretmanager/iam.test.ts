import { expect, test } from 'vitest';
import { missing, newSecret, unsupported, useSecretManager } from './fixture.ts';

const cloud = useSecretManager();
const bindings = [{ role: 'roles/secretmanager.secretAccessor', members: ['user:ann@acme.com'] }];

test('a secret has an empty policy until one is set', async () => {
  const { name: resource, etag } = await newSecret(cloud);
  const [empty] = await cloud.client.getIamPolicy({ resource });
  expect(empty).toMatchObject({ bindings: [], version: 0 });
  expect(Buffer.from(empty.etag ?? '').toString('base64')).toBe('ACAB');
  const [set] = await cloud.client.setIamPolicy({ resource, policy: { ...empty, bindings } });
  expect(set).toMatchObject({ bindings, version: 1 });
  expect((await cloud.client.getIamPolicy({ resource }))[0]).toEqual(set);
  expect((await cloud.client.getSecret({ name: resource }))[0].etag).toBe(etag);
});

test('a policy that somebody else has changed is not overwritten', async () => {
  const { name: resource } = await newSecret(cloud);
  const [read] = await cloud.client.getIamPolicy({ resource });
  await cloud.client.setIamPolicy({ resource, policy: { ...read, bindings } });
  await expect(
    cloud.client.setIamPolicy({ resource, policy: { ...read, bindings: [] } }),
  ).rejects.toMatchObject({
    code: 10,
    details: expect.stringContaining('concurrent policy changes'),
  });
  await cloud.client.setIamPolicy({ resource, policy: { bindings: [] } });
});

test.each([
  [{ bindings: [{ ...bindings[0], condition: { expression: 'true' } }] }, 'condition'],
  [{ auditConfigs: [{ service: 'allServices' }] }, 'audit_configs'],
])('a policy with %j is not supported', async (policy, field) => {
  const { name: resource } = await newSecret(cloud);
  await expect(cloud.client.setIamPolicy({ resource, policy })).rejects.toMatchObject(
    unsupported(new RegExp(field)),
  );
});

test('a mask for a policy is not supported', async () => {
  const { name: resource } = await newSecret(cloud);
  await expect(
    cloud.client.setIamPolicy({ resource, policy: {}, updateMask: { paths: ['bindings'] } }),
  ).rejects.toMatchObject(unsupported(/update_mask/));
});

test('everything is permitted on a secret that there is, and nothing on another', async () => {
  const { name: resource } = await newSecret(cloud);
  const permissions = ['secretmanager.versions.access'];
  expect((await cloud.client.testIamPermissions({ resource, permissions }))[0]).toEqual({ permissions });
  const absent = { resource: `${resource}x`, permissions };
  expect((await cloud.client.testIamPermissions(absent))[0]).toEqual({ permissions: [] });
  await expect(cloud.client.getIamPolicy({ resource: `${resource}x` })).rejects.toMatchObject(
    missing(/not found/),
  );
});
