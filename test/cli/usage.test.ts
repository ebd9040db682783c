import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../../local/ports.ts';
import { drover, droverHere } from './fixture.ts';

const checkout = path.resolve(import.meta.dirname, '..', '..');
const run = (...args: string[]) => drover(args, { environment: {} });

/** A copy of the project that has the settings of a running local cloud, or none. */
function copyProject(localEnvironment?: string): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'drover-cli-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  for (const part of ['cli', 'shared', 'functions', 'package.json']) {
    cpSync(path.join(checkout, part), path.join(copy, part), { recursive: true });
  }
  symlinkSync(path.join(checkout, 'node_modules'), path.join(copy, 'node_modules'));
  if (localEnvironment !== undefined) {
    mkdirSync(path.join(copy, '.drover'));
    writeFileSync(path.join(copy, '.drover', 'local.env'), localEnvironment);
  }
  return copy;
}

test('the help names every command', async () => {
  const { code, stdout, stderr } = await run('--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const commands = stdout.slice(stdout.indexOf('Commands:'));
  for (const name of [
    'send',
    'operations',
    'dead-letters list',
    'dead-letters show',
    'dead-letters replay',
  ]) {
    expect(commands).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  }
  expect(commands).toMatch(/^ {2}prepare +\S/m);
});

test.each([
  [['send'], ['--data', '--id', '--dry-run', '--revision', '--actor', '--wait', '--timeout', '--json']],
  [['operations'], ['--function', '--state', '--limit', '--json']],
  [
    ['dead-letters', 'list'],
    ['--function', '--code', '--limit', '--json'],
  ],
  [['dead-letters', 'show'], ['--json']],
  [
    ['dead-letters', 'replay'],
    ['--all', '--function', '--code', '--wait', '--timeout', '--json'],
  ],
  [
    ['secrets', 'list'],
    ['--instance', '--due', '--failed', '--limit', '--json'],
  ],
  [['secrets', 'show'], ['--json']],
  [
    ['secrets', 'rotate'],
    ['--force', '--dry-run', '--id', '--actor', '--wait', '--timeout', '--json'],
  ],
  [['secrets', 'history'], ['--json']],
  [
    ['secrets', 'verify'],
    ['--all', '--instance', '--repair', '--actor', '--timeout', '--json'],
  ],
  [
    ['tenants', 'list'],
    ['--state', '--plan', '--instance', '--limit', '--json'],
  ],
  [['tenants', 'show'], ['--json']],
  [['tenants', 'steps'], ['--json']],
  [
    ['tenants', 'remove'],
    [
      ...['--confirm', '--archive', '--allow-incomplete', '--dataset', '--storage'],
      ...['--id', '--dry-run', '--actor', '--wait', '--timeout', '--json'],
    ],
  ],
  [
    ['tenants', 'restore'],
    [
      ...['--archive', '--display-name', '--contact', '--plan', '--isolation', '--instance', '--database'],
      ...['--region', '--id', '--dry-run', '--actor', '--wait', '--timeout', '--json'],
    ],
  ],
  [['prepare'], ['--project', '--function']],
])('the help of %j has its usage, its options and an example', async (words, options) => {
  const { code, stdout, stderr } = await droverHere(...words, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const name = words.join(' ');
  expect(stdout).toMatch(new RegExp(`Usage:\n  drover ${name}`));
  expect(stdout).toMatch(new RegExp(`Examples:\n  drover ${name}`));
  for (const option of options) expect(stdout).toMatch(new RegExp(`^  ${option}( \\S+)? {2,}\\S`, 'm'));
});

test('a group of commands has a help of its own, and is no command', async () => {
  const [help, bare] = [await droverHere('dead-letters', '--help'), await droverHere('dead-letters')];
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/^ {2}replay +\S/m);
  expect(bare).toEqual({ code: 2, stdout: '', stderr: help.stdout });
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8'));
  expect(await run('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test.each([
  ['nothing', [], /Usage:/],
  [
    'an unknown command that is close to one',
    ['sned'],
    /no command sned\. Did you mean send\?\nSee drover --help/,
  ],
  ['an unknown command that is like none', ['frobnicate'], /no command frobnicate\.\n/],
  [
    'an unknown option that is close to one',
    ['send', '--wiat'],
    /--wiat\. Did you mean --wait\?\nSee drover send --help/,
  ],
  ['an option without its value', ['send', '--data'], /'--data <value>' argument missing/],
])('%s is answered with 2 on standard error', async (_case, args, message) => {
  const { code, stdout, stderr } = await droverHere(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('without a project and without a local cloud it says what to do, with 2', async () => {
  const { code, stdout, stderr } = await drover(['operations'], { environment: {}, from: copyProject() });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/GOOGLE_CLOUD_PROJECT.*npm start/);
});

test('settings that can not be used are named, with 2', async () => {
  const environment = { GOOGLE_CLOUD_PROJECT: 'p', DROVER_RECORD_DAYS: 'many' };
  const { code, stderr } = await drover(['operations'], { environment });
  expect(code).toBe(2);
  expect(stderr).toContain('DROVER_RECORD_DAYS');
});

test('a local cloud that has gone is noticed at once, and where its address is from', async () => {
  const host = `127.0.0.1:${await findFreePort()}`;
  const settings = `GOOGLE_CLOUD_PROJECT=p\nPUBSUB_EMULATOR_HOST=${host}\nFIRESTORE_EMULATOR_HOST=${host}\n`;
  const startedAt = performance.now();
  const { code, stdout, stderr } = await drover(['operations'], {
    environment: {},
    from: copyProject(settings),
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(new RegExp(`^UNAVAILABLE: Firestore at ${host} .*local\\.env.*npm start`));
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('the environment goes before the local cloud', async () => {
  const [ours, theirs] = [`127.0.0.1:${await findFreePort()}`, '127.0.0.1:1'];
  const { stderr } = await drover(['send', 'create-schema', '--data', '{}'], {
    environment: { GOOGLE_CLOUD_PROJECT: 'p', PUBSUB_EMULATOR_HOST: ours, FIRESTORE_EMULATOR_HOST: ours },
    from: copyProject(`GOOGLE_CLOUD_PROJECT=p\nPUBSUB_EMULATOR_HOST=${theirs}\n`),
  });
  expect(stderr).toContain(`Pub/Sub at ${ours} (PUBSUB_EMULATOR_HOST) does not answer`);
  expect(stderr).not.toContain('local.env');
});

test('where an error comes from is shown on request only', async () => {
  const host = `127.0.0.1:${await findFreePort()}`;
  const environment = {
    GOOGLE_CLOUD_PROJECT: 'p',
    PUBSUB_EMULATOR_HOST: host,
    FIRESTORE_EMULATOR_HOST: host,
  };
  const [quiet, loud] = await Promise.all([
    drover(['operations'], { environment }),
    drover(['operations'], { environment: { ...environment, DEBUG: '1' } }),
  ]);
  expect(quiet.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(loud.stderr).toMatch(/^ +at .*cli\/cloud\.ts/m);
});

test('missing credentials are said in a line, not by a crash', async () => {
  const environment = { GOOGLE_CLOUD_PROJECT: 'p', GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/key.json' };
  const { code, stdout, stderr } = await drover(['operations'], { environment });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^[^\n]*\/nowhere\/key\.json[^\n]*\n$/);
});

test.runIf(existsSync('/dev/full'))('output that can not be written is an error', () => {
  const full = openSync('/dev/full', 'w');
  const main = path.join(checkout, 'cli', 'main.ts');
  const { status, stderr } = spawnSync(process.execPath, [main, '--help'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^drover: the output could not be written: .*\n$/);
});
