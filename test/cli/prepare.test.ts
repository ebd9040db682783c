import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { functionLogin, readManifests } from '../../shared/manifest.ts';
import { drover, droverHere } from './fixture.ts';

const file = path.resolve(import.meta.dirname, '..', '..', 'shared', 'postgres', 'prepare.sql');
const prepare = (...args: string[]) => droverHere('prepare', ...args);

/** The logins that printed SQL hands to the preparation. */
function loginsIn(sql: string): string[] {
  return /^SET drover\.logins = '([^']*)';\n/.exec(sql)?.[1]?.split(',') ?? [];
}

test('prints the preparation with the logins of all functions that change databases', async () => {
  const { code, stdout, stderr } = await prepare('--project', 'acme-prod');
  const writers = readManifests().filter(({ permissions }) => permissions.database === 'writer');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(loginsIn(stdout)).toEqual(writers.map(({ name }) => functionLogin(name, 'acme-prod')));
  expect(loginsIn(stdout)).toContain('drover-create-schema@acme-prod.iam');
  expect(stdout.endsWith(readFileSync(file, 'utf8'))).toBe(true);
});

test('takes the project from the environment', async () => {
  const { stdout } = await drover(['prepare'], { environment: { GOOGLE_CLOUD_PROJECT: 'acme-test' } });
  expect(loginsIn(stdout)).toContain('drover-create-schema@acme-test.iam');
});

test('can be limited to some functions', async () => {
  const { stdout } = await prepare('--project', 'acme', '--function', 'create-schema');
  expect(loginsIn(stdout)).toEqual(['drover-create-schema@acme.iam']);
});

test.each([
  [
    'a function without a login on instances',
    ['--function', 'dead-letter'],
    /No function dead-letter changes/,
  ],
  ['a misspelt function', ['--function', 'create-shema'], /Did you mean create-schema\?/],
  ['what can be no project', ['--project', "x'; DROP ROLE y; --"], /is no project’s id/],
])('refuses %s', async (_case, args, message) => {
  const { code, stdout, stderr } = await prepare('--project', 'acme', ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});
