import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type IngestObjectMessage, ingestObjectMessage } from '../../functions/ingest-object/message.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { asWorker, droverInCloud, newId, receive, startWorker, subscribe, useCloud } from './fixture.ts';

const functionName = 'ingest-object';
const cloud = useCloud([functionName]);
const checkout = path.resolve(import.meta.dirname, '..', '..');
const sample = path.join(checkout, 'samples', 'manifests', 'billing.yaml');

/** A worker that says this of every manifest. */
async function startPlanner(plan: (message: IngestObjectMessage, dryRun: boolean) => Outcome): Promise<void> {
  const handle = defineOperation({
    name: functionName,
    timeoutSeconds: 60,
    message: ingestObjectMessage,
    access: () => undefined,
    run: async (message, { dryRun }) => plan(message, dryRun),
  });
  await startWorker(cloud, asWorker(handle), functionName);
}

function file(content: string | Buffer): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-plan-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const name = path.join(folder, 'manifest.yaml');
  writeFileSync(name, content);
  return name;
}

const items = [
  { key: 'schema core', about: 'i/app.core', state: 'unchanged', function: 'create-schema', changes: [] },
  {
    key: 'schema billing',
    about: 'i/app.billing',
    state: 'change',
    function: 'create-schema',
    changes: ['create schema billing', 'grant usage on billing'],
  },
  {
    key: 'grants core',
    about: 'i/app.core',
    state: 'change',
    function: 'grant-roles',
    changes: ['grant app__core__reader to ann', 'revoke app__core__reader from \u001b[2Jbob'],
  },
];
const refused = {
  key: 'secret app-billing',
  about: 'secret app-billing',
  state: 'refused',
  function: 'rotate-secret',
  changes: [],
  problem: { code: 'NOT_ALLOWED', message: 'No rule allows it.' },
};
const planOf = (all: readonly object[]): Outcome => ({ changes: [], result: { items: all } });

describe('drover plan', () => {
  test('sends the file as a dry run, and prints what it would do in order', async () => {
    const arrival = receive(await subscribe(cloud, functionName));
    await startPlanner((_, dryRun) => planOf(dryRun ? items : []));
    const id = newId();
    const place = ['--bucket', 'acme-manifests', '--object', 'manifests/billing.yaml'];
    const { code, stdout } = await droverInCloud('plan', sample, '--id', id, '--actor', 'ann', ...place);
    const { data, attributes } = await arrival;
    expect(JSON.parse(data.toString())).toEqual({
      event: 'PLAN_MANIFEST',
      manifest: readFileSync(sample, 'utf8'),
      bucket: 'acme-manifests',
      object: 'manifests/billing.yaml',
    });
    expect(attributes).toEqual({ 'operation-id': id, 'dry-run': 'true', 'claimed-actor': 'ann' });
    expect(stdout.split('\n')).toEqual([
      '= schema core     i/app.core',
      '+ schema billing  i/app.billing',
      '    create schema billing',
      '    grant usage on billing',
      '~ grants core     i/app.core',
      '    grant app__core__reader to ann',
      '    revoke app__core__reader from \\x1b[2Jbob',
      '',
      '2 to change, 1 as it is, 0 refused',
      '',
    ]);
    expect(code).toBe(0);
  });

  test('with something that is refused exits with 1', async () => {
    await startPlanner(() => planOf([...items, refused]));
    const { code, stdout } = await droverInCloud('plan', sample);
    expect(stdout).toContain(
      '! secret app-billing  secret app-billing\n    NOT_ALLOWED: No rule allows it.\n',
    );
    expect(stdout).toMatch(/2 to change, 1 as it is, 1 refused\n$/);
    expect(code).toBe(1);
  });

  test('says what it has no room for, and what is to be known', async () => {
    const notes = [{ code: 'KEPT', message: 'ann stays.' }];
    const summary = { unchanged: 300, changed: 2, refused: 1 };
    await startPlanner(() => ({ ...planOf(items), result: { items, more: 300 }, notes, summary }));
    const { code, stdout } = await droverInCloud('plan', sample);
    const end = '… and 300 more\n\nKEPT: ann stays.\n\n2 to change, 300 as it is, 1 refused\n';
    expect(stdout.slice(-end.length)).toBe(end);
    expect(code).toBe(1);
  });

  test('prints the record as JSON', async () => {
    await startPlanner(() => planOf(items));
    const { code, stdout } = await droverInCloud('plan', sample, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ state: 'planned', dryRun: true, result: { items } });
    expect(code).toBe(0);
  });

  test('a plan that fails is reported like any operation', async () => {
    await startPlanner(() => {
      throw new OperationError('CLAIMED', 'Another file claims it.');
    });
    const { code, stdout } = await droverInCloud('plan', sample);
    expect(stdout).toMatch(/^ingest-object failed \(dry run\)[\s\S]*CLAIMED: Another file claims it\./);
    expect(code).toBe(1);
  });

  test('gives up waiting with 3', async () => {
    const { code, stdout, stderr } = await droverInCloud('plan', sample, '--timeout', '0.2');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/no worker has taken it.*drover operations/);
  });
});

describe('before anything is sent, drover plan', () => {
  test('tells what is wrong with a file, with the place, and sends nothing', async () => {
    const name = file(
      'version: 1\ndatabase: { instance: "a:b-c1:d", database: app }\nschemas:\n  a: { level: 1 }\n"x\u001b[2J": 1\n',
    );
    expect(await droverInCloud('plan', name)).toEqual({
      code: 1,
      stdout: '',
      stderr: [
        `${name}:4:8: schemas.a.level: is not a field of a manifest`,
        `${name}:5:1: ["x\\u001b[2J"]: is not a field of a manifest`,
        'INVALID_MANIFEST: nothing was sent.\n',
      ].join('\n'),
    });
  });

  test.each([
    ['plan', 'no-such-file.yaml'],
    ['plan'],
    ['plan', sample, 'other.yaml'],
    ['plan', sample, '--bucket', 'acme-manifests'],
    ['plan', sample, '--bucket', 'Not a bucket', '--object', 'x'],
    ['plan', '--schema', sample],
    ['plan', sample, '--dry-run'],
  ])('%j can’t be used', async (...args) => {
    const { code, stdout, stderr } = await droverInCloud(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^drover: /);
  });

  test.each([
    ['is too large', 'x'.repeat(300_000), /^MANIFEST_TOO_LARGE: The manifest has 300000 bytes/],
    [
      'is too large only as a message',
      `version: 1\ndatabase: { instance: "a:b-c1:d", database: app }\n${'\n'.repeat(140_000)}`,
      /^MANIFEST_TOO_LARGE: As a message the manifest has \d+ bytes/,
    ],
    ['is not UTF-8', Buffer.from([0x61, 0xff]), /:1:1: manifest: is not UTF-8/],
  ])('sends no file that %s', async (_, content, message) => {
    const { code, stderr } = await droverInCloud('plan', file(content));
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  test('prints the JSON Schema of manifests', async () => {
    const { code, stdout } = await droverInCloud('plan', '--schema');
    expect(code).toBe(0);
    expect(stdout).toBe(readFileSync(path.join(checkout, 'docs', 'schemas', 'manifest.json'), 'utf8'));
  });
});
