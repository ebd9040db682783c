import { describe, expect, it } from 'vitest';
import { readRequest } from '../../../shared/operation/request.ts';

const publishTime = new Date('2026-03-01T10:00:00Z');

const read = (attributes: Record<string, string>) =>
  readRequest({ data: Buffer.alloc(0), attributes, messageId: '7', publishTime });

const defaults = { operationId: '7', dryRun: false, publishedAt: publishTime };

describe('the attributes of a message', () => {
  it('have defaults: the message’s own id and time, no dry run', () => {
    expect(read({})).toEqual({ request: defaults, problems: [] });
  });

  it('say everything that a publisher may say', () => {
    const attributes = {
      'operation-id': 'deploy/42#billing',
      'dry-run': 'true',
      revision: '42',
      'original-publish-time': '2026-02-01T09:00:00.5+01:00',
      'claimed-actor': 'alice@example.com',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tenant: 'acme_2',
    };
    expect(read(attributes)).toEqual({
      request: {
        operationId: 'deploy/42#billing',
        dryRun: true,
        revision: 42,
        publishedAt: new Date('2026-02-01T08:00:00.500Z'),
        claimedActor: 'alice@example.com',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tenant: 'acme_2',
      },
      problems: [],
    });
  });

  it('are ignored where they belong to somebody else', () => {
    expect(read({ 'other-system': 'x', googclient_schemaencoding: 'JSON' }).problems).toEqual([]);
  });

  it.each([
    { name: 'operation-id', value: '!' },
    { name: 'operation-id', value: '~'.repeat(256) },
    { name: 'dry-run', value: 'false' },
    { name: 'revision', value: '0' },
    { name: 'revision', value: '9007199254740991' },
    { name: 'original-publish-time', value: '2026-02-28T23:59:59Z' },
    { name: 'original-publish-time', value: '0001-01-01T00:00:00Z' },
    { name: 'original-publish-time', value: '9999-12-31T23:59:59.999Z' },
    { name: 'claimed-actor', value: '' },
    { name: 'claimed-actor', value: 'ä'.repeat(256) },
    { name: 'traceparent', value: 'of another kind' },
    { name: 'tenant', value: 'a_1' },
    { name: 'tenant', value: 'x'.repeat(50) },
  ])('may be $name = $value', ({ name, value }) => {
    expect(read({ [name]: value }).problems).toEqual([]);
  });

  it.each([
    { name: 'operation-id', value: '' },
    { name: 'operation-id', value: 'two words' },
    { name: 'operation-id', value: 'Grüße' },
    { name: 'operation-id', value: 'line\n' },
    { name: 'operation-id', value: 'x'.repeat(257) },
    { name: 'dry-run', value: 'yes' },
    { name: 'dry-run', value: 'TRUE' },
    { name: 'dry-run', value: '' },
    { name: 'revision', value: '' },
    { name: 'revision', value: 'newest' },
    { name: 'revision', value: '1.5' },
    { name: 'revision', value: '-1' },
    { name: 'revision', value: '0x10' },
    { name: 'revision', value: '1e3' },
    { name: 'revision', value: ' 1' },
    { name: 'revision', value: '9007199254740992' },
    { name: 'original-publish-time', value: '2026-02-30T00:00:00Z' },
    { name: 'original-publish-time', value: 'yesterday' },
    { name: 'original-publish-time', value: '2026-03-01' },
    { name: 'original-publish-time', value: '1772359200' },
    { name: 'claimed-actor', value: 'x'.repeat(257) },
    { name: 'tenant', value: '' },
    { name: 'tenant', value: 'ab' },
    { name: 'tenant', value: 'x'.repeat(51) },
    { name: 'tenant', value: 'Acme' },
    { name: 'tenant', value: 'acme-2' },
    { name: 'tenant', value: 'acme\n' },
  ])('can’t be $name = $value, and the default stands in for it', ({ name, value }) => {
    const { request, problems } = read({ [name]: value });
    expect(problems.map(({ path }) => path)).toEqual([`attributes.${name}`]);
    expect(request).toEqual(defaults);
  });

  it.each(['0000-12-31T23:59:59Z', '0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01'])(
    'can’t have a time that no record holds: %s',
    (time) => {
      const { request, problems } = read({ 'original-publish-time': time });
      expect(problems.map(({ path }) => path)).toEqual(['attributes.original-publish-time']);
      expect(request.publishedAt).toEqual(publishTime);
    },
  );

  it.each(['2026-03-01T10:00:00.001Z', '9999-12-31T23:59:59Z'])(
    'date a message back, never forward: %s',
    (time) => {
      expect(read({ 'original-publish-time': time })).toEqual({ request: defaults, problems: [] });
    },
  );

  it('are all looked at: several problems are reported at once, and what is usable is used', () => {
    const { request, problems } = read({
      'operation-id': 'one two',
      'dry-run': 'perhaps',
      revision: '7',
      'original-publish-time': 'now',
    });
    expect(problems.map(({ path }) => path).sort()).toEqual([
      'attributes.dry-run',
      'attributes.operation-id',
      'attributes.original-publish-time',
    ]);
    expect(request).toEqual({ ...defaults, revision: 7 });
  });
});
