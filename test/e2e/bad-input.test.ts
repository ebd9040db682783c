import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { maxMessageBytes } from '../../shared/operation/request.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { readPayload } from '../../shared/registry/parts.ts';
import { permissivePolicy, startTestStack, type TestStack, target } from '../support/stack.ts';
import { snapshot } from './catalog.ts';

const elsewhere = 'acme-prod:europe-west1:main';

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['create-schema'], targets: [`${localInstance}/strict`], levels: ['reader'] },
    { functions: ['create-schema'], targets: [`${elsewhere}/app`], levels: ['writer', 'reader', 'analyst'] },
  ],
};

let stack: TestStack;
let before: unknown;

beforeAll(async () => {
  stack = await startTestStack({ databases: { open: ['app', 'strict'], closed: ['closed'] }, policy });
  await stack.query('app', `CREATE SCHEMA "Billing"; CREATE SCHEMA handmade`);
  before = await catalogs();
});

afterAll(() => stack.stop());

const catalogs = () => Promise.all(['app', 'strict', 'closed'].map((name) => snapshot(stack, name)));

/** Sends what is bad, and gives what became of it once its end was announced. */
async function send(data: unknown, attributes: Record<string, string>) {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(typeof data === 'string' ? data : json(data));
  const messageId = await stack.messaging.topic('create-schema').publishMessage({ data: bytes, attributes });
  await stack.pubsub?.idle();
  const { docs } = await stack.db.collection('operations').where('messageId', '==', messageId).get();
  expect(docs).toHaveLength(1);
  const [document] = docs;
  if (document === undefined) throw new Error('there is no record');
  return { bytes, messageId, ref: document.ref, record: document.data() as OperationRecord };
}

const json = (value: unknown) => JSON.stringify(value);
const app = target('app');
const valid = { target: app, schema: 'good' };
const named = (schema: string) => ({ ...valid, schema });

interface BadInput {
  readonly what: string;
  readonly data: unknown;
  readonly attributes?: Record<string, string>;
  readonly code: string;
  /** Where the first problem is. */
  readonly path?: string;
}

const invalid = (what: string, data: unknown, path = 'data', attributes = {}): BadInput => ({
  what,
  data,
  attributes,
  code: 'INVALID_MESSAGE',
  path,
});
const padded = (bytes: number) => {
  const [head, tail] = json({ ...valid, comment: '~' }).split('~');
  return `${head}${'x'.repeat(bytes - (head?.length ?? 0) - (tail?.length ?? 0))}${tail}`;
};

const table: readonly BadInput[] = [
  invalid('malformed JSON', '{"target":'),
  invalid('no data', '', 'data', { note: 'without an attribute it is no message' }),
  invalid('data that is not UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22])),
  invalid('a byte order mark', Buffer.from(`\ufeff{`)),
  invalid('an attribute that Firestore would not take for a field', '{', 'data', { __name__: 'x' }),
  invalid('half a surrogate pair', '{"schema":"\\ud800"}'),
  invalid('a list', [valid]),
  invalid('null', 'null'),
  invalid('9.9 MB', Buffer.alloc(9_900_000, 'x')),
  invalid('a valid message of 256 KiB and a byte', padded(maxMessageBytes + 1)),
  invalid('a comment as long as a message may be', padded(maxMessageBytes), 'data.comment'),
  invalid('nesting without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  invalid('an unknown key', { ...valid, drop: true }, 'data.drop'),
  invalid('an unknown key of the target', { ...valid, target: { ...app, host: 'x' } }, 'data.target.host'),
  invalid('a key __proto__', `{"__proto__":{"adopt":true},${json(valid).slice(1)}`, 'data.__proto__'),
  invalid('a number for a name', { ...valid, schema: 7 }, 'data.schema'),
  invalid('a string for a boolean', { ...valid, adopt: 'true' }, 'data.adopt'),
  invalid('a string for a list', { ...valid, levels: 'reader' }, 'data.levels'),
  invalid('a level that does not exist', { ...valid, levels: ['superuser'] }, 'data.levels[0]'),
  invalid('no target', { schema: 'good' }, 'data.target'),
  invalid('SQL for a name', named(`good'; DROP SCHEMA handmade CASCADE; --`), 'data.schema'),
  invalid('a quote in a name', named('go"od'), 'data.schema'),
  invalid('a line break in a name', named('good\nbad'), 'data.schema'),
  invalid('a line break after a name', named('good\n'), 'data.schema'),
  invalid('an emoji for a name', named('🐂'), 'data.schema'),
  invalid('NUL in a name', named('good\0'), 'data.schema'),
  invalid('a name of 64 bytes', named('g'.repeat(64)), 'data.schema'),
  invalid('an empty name', named(''), 'data.schema'),
  ...['pg_toast', 'PG_x', 'information_schema', 'public', 'cloudsqladmin', 'google_x'].map((name) =>
    invalid(`the reserved name ${name}`, named(name), 'data.schema'),
  ),
  invalid('NUL in a comment', { ...valid, comment: 'a\0b' }, 'data.comment'),
  invalid('an owner of 64 bytes', { ...valid, owner: 'ö'.repeat(32) }, 'data.owner'),
  invalid('a database of the server', { ...valid, target: target('template1') }, 'data.target.database'),
  invalid('no connection name', { ...valid, target: { ...app, instance: 'db' } }, 'data.target.instance'),
  invalid('an id with spaces', valid, 'attributes.operation-id', { 'operation-id': 'my id' }),
  invalid('an id without end', valid, 'attributes.operation-id', { 'operation-id': 'i'.repeat(257) }),
  invalid('a dry run of maybe', valid, 'attributes.dry-run', { 'dry-run': 'maybe' }),
  invalid('a negative revision', valid, 'attributes.revision', { revision: '-1' }),
  invalid('half a revision', valid, 'attributes.revision', { revision: '1.5' }),
  invalid('an empty revision', valid, 'attributes.revision', { revision: '' }),
  { what: 'a database that no rule names', data: { ...valid, target: target('other') }, code: 'NOT_ALLOWED' },
  {
    what: 'an instance that no rule names',
    data: { ...valid, target: { instance: 'evil-inc:europe-west1:main', database: 'app' } },
    code: 'NOT_ALLOWED',
  },
  {
    what: 'an instance that no connection leads to',
    data: { ...valid, target: { instance: elsewhere, database: 'app' } },
    code: 'TARGET_NOT_ALLOWED',
  },
  {
    what: 'a level that the policy does not allow',
    data: { ...valid, target: target('strict'), levels: ['writer'] },
    code: 'NOT_ALLOWED',
  },
  {
    what: 'an adoption that the policy does not allow',
    data: { ...valid, target: target('strict'), levels: [], adopt: true },
    code: 'NOT_ALLOWED',
  },
  { what: 'a schema that differs in case only', data: named('billing'), code: 'SCHEMA_NAME_CONFLICT' },
  { what: 'a schema that Drover did not make', data: named('handmade'), code: 'SCHEMA_NOT_MANAGED' },
  {
    what: 'an owner that does not exist',
    data: { ...valid, owner: `"; DROP ROLE postgres` },
    code: 'PRINCIPAL_NOT_FOUND',
  },
  {
    what: 'a database that does not exist',
    data: { ...valid, target: target('missing') },
    code: 'DATABASE_NOT_FOUND',
  },
  {
    what: 'a database where Drover may not create',
    data: { ...valid, target: target('closed') },
    code: 'CANNOT_CREATE_IN_DATABASE',
  },
];

const permanent = /SCHEMA|PRINCIPAL|DATABASE|TARGET/;

describe('a message that can not be done', () => {
  it.each(table)('is refused and kept: $what', async ({ data, attributes = {}, code, path }) => {
    const { bytes, messageId, ref, record } = await send(data, attributes);

    expect(record).toMatchObject({
      state: 'failed',
      reason: permanent.test(code) ? 'permanent' : 'rejected',
      error: { code },
      reported: true,
      epoch: 1,
    });
    if (path !== undefined) {
      expect(record.error?.details).toMatchObject({
        problems: expect.arrayContaining([{ path, message: expect.any(String) }]),
      });
    }
    expect(record.operationId).toBe(messageId);
    const { payload } = record;
    if (!payload) throw new Error('the message was not kept');
    expect(Object.fromEntries(payload.attributes.map(({ name, value }) => [name, value]))).toEqual(
      attributes,
    );
    expect((await readPayload(ref, payload)).equals(bytes)).toBe(true);
    expect(stack.results.get(ref.id)).toMatchObject([
      { type: 'drover.operation.failed', data: { state: 'failed', error: { code } } },
    ]);
    expect(await catalogs()).toEqual(before);
  });

  it('does not touch the operation whose id it took', async () => {
    const { ref } = await send(named('handmade'), { 'operation-id': 'taken' });
    const first = await ref.get();
    const { record, ref: own } = await send(named('another'), { 'operation-id': 'taken' });

    expect(record).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      operationId: 'taken',
      error: { code: 'IDEMPOTENCY_CONFLICT', details: { operation: ref.id } },
      reported: true,
    });
    expect(ref.id).toBe(operationDocumentId('create-schema', { operationId: 'taken', dryRun: false }));
    expect(own.id).not.toBe(ref.id);
    expect((await ref.get()).updateTime).toEqual(first.updateTime);
    expect(await catalogs()).toEqual(before);
  });
});
