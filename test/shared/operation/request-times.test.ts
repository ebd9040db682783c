import { describe, expect, it } from 'vitest';
import { grantRolesMessage } from '../../../functions/grant-roles/message.ts';
import { parseData } from '../../../shared/operation/request.ts';
import { useRegistry } from '../registry/fixture.ts';

const registry = useRegistry();

const parse = (...ends: string[]) => {
  const grants = ends.map((expiresAt, index) => ({
    principal: `p${index}`,
    kind: 'login',
    level: 'reader',
    expiresAt,
  }));
  const target = { instance: 'acme:europe-west1:main', database: 'app' };
  const message = { target, schema: 'billing', mode: 'add', grants };
  return parseData(Buffer.from(JSON.stringify(message)), grantRolesMessage);
};

const record = (time: string) => {
  const ref = registry.db.collection('grants').doc('one');
  return ref.set({ expiresAt: new Date(time) }).then(() => ref.get());
};

describe('the end of a grant', () => {
  it.each([
    '0001-01-01T00:00:00Z',
    '0001-01-01T01:00:00+01:00',
    '2026-03-01T10:00:00.123456+05:30',
    '9999-12-31T23:59:59.999Z',
    '9999-12-31T22:59:59.999999-01:00',
  ])('may be %s, which the registry holds', async (time) => {
    expect(parse(time)).not.toHaveProperty('problems');
    expect((await record(time)).get('expiresAt').toDate()).toEqual(new Date(time));
  });

  it.each([
    '0000-12-31T23:59:59.999Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
  ])('can’t be %s, which the registry doesn’t hold', async (time) => {
    await expect(record(time)).rejects.toThrow();
    expect(parse(time)).toMatchObject({
      problems: [{ path: 'data.grants[0].expiresAt', message: 'must be in the years 1 to 9999' }],
    });
  });

  it('is refused at its place, be it no time at all or one that can’t be recorded', () => {
    const ends = ['tomorrow', '2030-01-01T00:00:00Z', '0000-12-31T23:59:59Z', '9999-12-31T23:59:59-23:59'];
    expect(parse(...ends)).toMatchObject({
      problems: [0, 2, 3].map((index) => ({ path: `data.grants[${index}].expiresAt` })),
    });
  });
});
