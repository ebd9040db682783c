import { expect, onTestFinished, test, vi } from 'vitest';
import { startSqlAdmin } from '../../local/sqladmin/server.ts';
import { functionSettings, localInstance, localProject, type Stack, startStack } from '../../local/stack.ts';
import { connectionFor, readConfig } from '../../shared/config.ts';
import { clientOf } from './sqladmin/fixture.ts';

const [project = '', , name = ''] = localInstance.split(':');
const main = { project, instance: name };

async function start(): Promise<Stack> {
  const stack = await startStack({ ports: 'auto', databases: { open: ['app'] }, policy: { rules: [] } });
  onTestFinished(() => stack.stop());
  return stack;
}

test('the Admin API of the local cloud knows its cluster', async () => {
  const { sqladmin, environment } = await start();
  if (sqladmin === undefined) expect.fail('there is no Admin API');
  const api = clientOf(sqladmin);

  const { data: users } = await api.users.list(main);
  const { data: databases } = await api.databases.list(main);

  expect(environment['SQLADMIN_EMULATOR_HOST']).toBe(sqladmin.host);
  expect(users.items).toContainEqual(
    expect.objectContaining({
      name: `drover-create-schema@${localProject}.iam`,
      type: 'CLOUD_IAM_SERVICE_ACCOUNT',
    }),
  );
  expect(databases.items?.map((database) => database.name)).toEqual(['app', 'postgres']);
});

test('an Admin API that is there already is used instead', async () => {
  const theirs = await startSqlAdmin({ instances: [] });
  onTestFinished(() => theirs.close());
  vi.stubEnv('SQLADMIN_EMULATOR_HOST', theirs.host);
  onTestFinished(() => void vi.unstubAllEnvs());

  const { sqladmin, environment } = await start();

  expect(sqladmin).toBeUndefined();
  expect(environment['SQLADMIN_EMULATOR_HOST']).toBe(theirs.host);
});

test('a function is told where the Admin API is', () => {
  const settings = functionSettings('grant-roles', 5432, { rules: [] }, 'http://127.0.0.1:8087');

  const { DROVER_INSTANCES } = readConfig({ GOOGLE_CLOUD_PROJECT: localProject, ...settings });

  expect(connectionFor(localInstance, DROVER_INSTANCES)?.adminApi).toBe('http://127.0.0.1:8087');
});
