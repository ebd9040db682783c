import { expect, it } from 'vitest';
import { localInstance, localProject } from '../../local/stack.ts';
import { logsIn } from '../support/secrets.ts';
import { permissivePolicy } from '../support/stack.ts';
import { creation, later, useSecrets } from './secrets.ts';

/** Who may use force somewhere may not therefore use it here. */
const policy = {
  rules: [
    ...permissivePolicy.rules,
    {
      functions: ['rotate-secret'],
      targets: [`${localInstance}/app*`],
      secrets: ['plain-*'],
      actions: ['create'],
    },
    {
      functions: ['rotate-secret'],
      targets: [`${localInstance}/other`],
      secrets: ['plain-*'],
      actions: ['force'],
    },
  ].map((rule) => ({ ...rule, levels: ['owner', 'writer', 'reader', 'analyst'] })),
};

const cloud = useSecrets({ policy }, ({ createSchema }) => createSchema('billing'));
const { create, done, refused } = cloud;

const states = async (secret: string) =>
  (await cloud.secrets.versions(secret)).map(({ number, state }) => `${number} ${state}`);

const disable = (secret: string, version: number) =>
  cloud.secrets.client.disableSecretVersion({
    name: `projects/${localProject}/secrets/${secret}/versions/${version}`,
  });

it('a version that somebody added never decides on a password', async () => {
  const { secrets } = cloud;
  await create('app-added');
  const own = await secrets.credential('app-added', 'current');
  const chosen = { ...own, username: 'app-added_b', password: 'chosen-by-somebody' };
  await secrets.add('app-added', JSON.stringify(chosen));
  await done({ secret: 'app-added' });
  expect(await logsIn(chosen)).toBe(false);
  const current = await secrets.credential('app-added', 'current');
  expect(current).toMatchObject({ username: 'app-added_b' });
  expect(await logsIn(current)).toBe(true);
  // First the current one once more, so that `latest` worked all the time.
  expect(await states('app-added')).toEqual(['4 ENABLED', '3 ENABLED', '2 DISABLED', '1 ENABLED']);
});

it('a roll-back that nobody has published yet is not retired', async () => {
  const { secrets } = cloud;
  await create('app-back');
  const former = await secrets.value('app-back', 'current');
  await done({ secret: 'app-back' });
  await secrets.add('app-back', former);
  await secrets.set('app-back', later);
  const waiting = await done({ secret: 'app-back', action: 'retire' });
  expect(waiting).toMatchObject({ changes: [], partial: true, notes: [{ code: 'VERSION_UNPUBLISHED' }] });
  expect(await logsIn(await secrets.credential('app-back', 'latest'))).toBe(true);

  await done({ secret: 'app-back' });
  expect(await secrets.value('app-back', 'current')).toBe(former);
  expect(await logsIn(await secrets.credential('app-back', 'current'))).toBe(true);
});

it('nothing is taken away while the current version doesn’t work', async () => {
  const { secrets, query } = cloud;
  await create('app-only');
  const former = await secrets.credential('app-only', 'current');
  await done({ secret: 'app-only' });
  await secrets.set('app-only', later);
  await query(`ALTER ROLE "app-only_b" PASSWORD 'of an older backup'`);
  await refused({ secret: 'app-only', action: 'retire' }, 'CURRENT_BROKEN');
  await refused({ secret: 'app-only' }, 'CURRENT_BROKEN');
  expect(await logsIn(former)).toBe(true);

  await disable('app-only', 2);
  await secrets.set('app-only', later);
  await refused({ secret: 'app-only', action: 'retire' }, 'CURRENT_BROKEN');
  await done({ secret: 'app-only', force: true });
  expect(await logsIn(former)).toBe(true);
  expect(await secrets.credential('app-only', 'current')).toMatchObject({ username: 'app-only_b' });
});

it('a verification finds that `latest` leads nowhere, and mends that', async () => {
  const { secrets } = cloud;
  await create('app-latest');
  await disable('app-latest', await secrets.add('app-latest', await secrets.value('app-latest', 1)));
  const verify = { secret: 'app-latest', action: 'verify' };
  expect((await done(verify)).notes?.map(({ code }) => code)).toEqual(['LATEST_BROKEN']);
  await done({ ...verify, repair: true });
  expect(await secrets.value('app-latest', 'latest')).toBe(await secrets.value('app-latest', 'current'));
  expect((await done(verify)).notes).toEqual([]);
});

it('one login keeps its password where what it may do is not what it should', async () => {
  const { secrets, query } = cloud;
  await query('SET ROLE app__billing__owner; CREATE TABLE billing.invoice (id int)');
  await create('app-single', { strategy: 'single-user', probe: 'SELECT * FROM billing.invoice' });
  await query('DROP TABLE billing.invoice');
  await refused({ secret: 'app-single' }, 'PROBE_FAILED');
  expect(await logsIn(await secrets.credential('app-single', 'current'))).toBe(true);
  expect(await states('app-single')).toEqual(['1 ENABLED']);
});

it('what the policy allows elsewhere is not allowed here', async () => {
  await done(creation('plain-one'));
  await refused({ secret: 'plain-one', force: true }, 'NOT_ALLOWED');
  await done({ secret: 'plain-one' });
});

it('adopting disables former versions, which don’t work any more', async () => {
  const { secrets, query } = cloud;
  await query(`CREATE ROLE legacy_a LOGIN PASSWORD 'the-present-one'`);
  const { host, port, database } = await secrets.credential('app-latest', 'current');
  const value = (password: string) =>
    JSON.stringify({ host, port, database, username: 'legacy_a', password });
  await secrets.create('app-legacy', value('a-former-one'), value('the-present-one'));
  const adoption = { ...creation('app-legacy'), action: 'adopt' };
  const { details } = await refused(adoption, 'LOGIN_OUT_OF_REACH');
  for (const statement of details['statements'] as string[]) await query(statement);
  await done(adoption);
  expect(await states('app-legacy')).toEqual(['2 ENABLED', '1 DISABLED']);
  await done({ secret: 'app-legacy' });
  expect(await secrets.credential('app-legacy', 'current')).toMatchObject({ username: 'legacy_b' });
});
