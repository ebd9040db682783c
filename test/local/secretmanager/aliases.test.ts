import { beforeEach, describe, expect, test } from 'vitest';
import {
  accessText,
  invalid,
  missing,
  newSecret,
  newVersion,
  precondition,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();
let secret = '';

beforeEach(async () => {
  secret = (await newSecret(cloud)).name;
  await newVersion(cloud, secret, 'one');
  await newVersion(cloud, secret, 'two');
});

async function setAliases(versionAliases: Record<string, number>) {
  const [updated] = await cloud.client.updateSecret({
    secret: { name: secret, versionAliases },
    updateMask: { paths: ['version_aliases'] },
  });
  return updated;
}

describe('an alias', () => {
  test('is read like the number that it stands for', async () => {
    const updated = await setAliases({ current: 2, previous: 1, Current: 1 });
    expect(updated.versionAliases).toEqual({ current: '2', previous: '1', Current: '1' });
    expect(await accessText(cloud, `${secret}/versions/current`)).toBe('two');
    expect(await accessText(cloud, `${secret}/versions/Current`)).toBe('one');
    const [version] = await cloud.client.getSecretVersion({ name: `${secret}/versions/previous` });
    expect(version.name).toBe(`${secret}/versions/1`);
    const [answer] = await cloud.client.accessSecretVersion({ name: `${secret}/versions/current` });
    expect(answer.name).toBe(`${secret}/versions/2`);
  });

  test('moves with an update, and goes where it is left out', async () => {
    await setAliases({ current: 1, old: 1 });
    await setAliases({ current: 2 });
    expect(await accessText(cloud, `${secret}/versions/current`)).toBe('two');
    await expect(accessText(cloud, `${secret}/versions/old`)).rejects.toMatchObject(
      missing(`Secret [${secret}] has no alias [old]`),
    );
  });

  test('stays with a version that is destroyed, and may be given to one', async () => {
    await setAliases({ current: 1 });
    await cloud.client.destroySecretVersion({ name: `${secret}/versions/1` });
    await expect(accessText(cloud, `${secret}/versions/current`)).rejects.toMatchObject(
      precondition(`Secret Version [${secret}/versions/1] is in DESTROYED state.`),
    );
    expect((await setAliases({ gone: 1 })).versionAliases).toEqual({ gone: '1' });
  });

  test.each([0, -1, 3])('cannot stand for version %i, which does not exist', async (version) => {
    await expect(setAliases({ current: version })).rejects.toMatchObject(
      invalid("Aliases cannot be assigned to versions that don't exist"),
    );
  });

  test('cannot be given to a secret that is created', async () => {
    await expect(newSecret(cloud, { versionAliases: { current: 1 } })).rejects.toMatchObject(
      invalid("Aliases cannot be assigned to versions that don't exist"),
    );
  });

  test.each(['latest', 'NEW', '1a', '-a', 'a.b', '', 'x'.repeat(64)])('cannot be "%s"', async (alias) => {
    await expect(setAliases({ [alias]: 1 })).rejects.toMatchObject(invalid(/must follow pattern/));
  });

  test.each(['Latest', 'a', 'A-1_b', 'x'.repeat(63)])('can be "%s"', async (alias) => {
    await setAliases({ [alias]: 1 });
    expect(await accessText(cloud, `${secret}/versions/${alias}`)).toBe('one');
  });

  test.each(['enableSecretVersion', 'disableSecretVersion', 'destroySecretVersion'] as const)(
    'does not name a version for %s',
    async (method) => {
      await setAliases({ current: 1 });
      await expect(cloud.client[method]({ name: `${secret}/versions/current` })).rejects.toMatchObject(
        invalid(/expected format/),
      );
    },
  );
});

test('a secret has 50 aliases at most', async () => {
  const numbered = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`alias-${index}`, 1]));
  await setAliases(numbered(50));
  await expect(setAliases(numbered(51))).rejects.toMatchObject(invalid(/No more than 50 aliases/));
  expect(await accessText(cloud, `${secret}/versions/alias-49`)).toBe('one');
});
