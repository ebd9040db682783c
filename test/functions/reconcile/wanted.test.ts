import { describe, expect, it } from 'vitest';
import { readWanted } from '../../../functions/reconcile/wanted.ts';
import type { CustomRole } from '../../../shared/postgres/custom-role.ts';
import { type GrantSetWish, merge } from '../../../shared/registry/grants/merge.ts';
import { emptySet, type GrantSet } from '../../../shared/registry/grants/model.ts';
import { settle } from '../../../shared/registry/grants/outcome.ts';
import type { OperationState } from '../../../shared/registry/operations.ts';
import { useRegistry } from '../../shared/registry/fixture.ts';

const registry = useRegistry();

const instance = 'acme:europe-west1:main';
const target = { instance, database: 'app' };
const at = (minutes: number) => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);

let count = 0;

/** Alice and whoever else, as a message grants or revokes it. */
function wish(operation: string, more: Partial<GrantSetWish> = {}, role = 'reader'): GrantSetWish {
  count += 1;
  return {
    mode: 'add',
    author: { operation, publishedAt: at(count) },
    grants: [{ principal: 'alice', kind: 'login', role }],
    customRoles: [],
    ...more,
  };
}

const auditor: CustomRole = {
  name: 'auditor',
  version: 1,
  inherits: [],
  privileges: { tables: ['SELECT'], sequences: [], routines: [] },
  native: [],
};

/** A set as attempts leave it, of which each but the open ones has ended. */
function setOf(schema: string | null, wishes: readonly GrantSetWish[], open: readonly string[] = []) {
  return wishes.reduce<GrantSet>(
    (set, one) => {
      const epoch = set.epoch + 1;
      const merged = { ...merge(set, one).set, epoch };
      const { operation } = one.author;
      if (open.includes(operation)) return merged;
      return settle(merged, { operation, epoch }, { now: at(100), keepDays: 30 }).set;
    },
    emptySet({ ...target, schema }),
  );
}

const write = (set: GrantSet) => registry.db.collection('grants').add({ ...set });

const writeSchema = (schema: string, desired: object, more: object = {}) =>
  registry.db.collection('schemas').add({
    ...target,
    schema,
    epoch: 4,
    appliedEpoch: 4,
    intents: [],
    applied: { operation: 'made', publishedAt: at(0), desired: { database: 'app', schema, ...desired } },
    ...more,
  });

const operation = (id: string, state: OperationState) =>
  registry.db.collection('operations').doc(id).set({ state });

const read = () => readWanted(registry.db, target);
const grantsOf = async (schema: string | null) =>
  (await read()).grants.find((one) => one.schema === (schema ?? undefined));
const schemaOf = async (schema: string) =>
  (await read()).schemas.find(({ desired }) => desired.schema === schema);

describe('what a database should be like', () => {
  it('is every schema that was made, and exactly the grants of each, be there any or none', async () => {
    await writeSchema('billing', { levels: ['reader'], adopt: true });
    await writeSchema('bare', {});
    await write(setOf('billing', [wish('a')]));
    await write(setOf(null, [wish('b', {}, 'monitor')]));
    await registry.db.collection('grants').add({ ...setOf('billing', []), database: 'another' });

    const { schemas, grants } = await read();

    expect(schemas.map(({ desired }) => desired)).toEqual(
      expect.arrayContaining([
        { database: 'app', schema: 'billing', levels: ['reader'], adopt: false, customRoles: [] },
        { database: 'app', schema: 'bare', adopt: false, customRoles: [] },
      ]),
    );
    const plain = { database: 'app', customRoles: [], surplus: 'revoke', undecided: [] };
    const settled = { epoch: 1, outstanding: false };
    expect(grants).toHaveLength(3);
    expect(grants).toEqual(
      expect.arrayContaining([
        {
          ...plain,
          schema: 'billing',
          grants: [{ role: 'reader', principal: 'alice', present: true }],
          fence: settled,
        },
        {
          ...plain,
          schema: undefined,
          grants: [{ role: 'monitor', principal: 'alice', present: true }],
          fence: settled,
        },
        { ...plain, schema: 'bare', grants: [], fence: { epoch: 0, outstanding: false } },
      ]),
    );
  });

  it('has the numbers of the registry, those of the grants for the custom roles that they define', async () => {
    await writeSchema('billing', {}, { epoch: 9 });
    await write(setOf('billing', [wish('a'), wish('b', { customRoles: [auditor] })]));
    expect(await schemaOf('billing')).toEqual({
      desired: { database: 'app', schema: 'billing', adopt: false, customRoles: [auditor] },
      fence: { epoch: 9, outstanding: true, grants: 2 },
    });
    expect(await grantsOf('billing')).toMatchObject({
      customRoles: ['auditor'],
      fence: { epoch: 2, outstanding: false },
    });
  });
});

describe('what somebody is about to change', () => {
  const alice = { role: 'reader', principal: 'alice', present: true };
  const open = [
    { what: 'a grant', decided: [alice], wishes: () => [wish('a'), wish('open', {}, 'writer')] },
    {
      what: 'a list of all grants, which are none',
      decided: [],
      wishes: () => [wish('open', { mode: 'exact', grants: [] })],
    },
    {
      what: 'a custom role',
      decided: [alice],
      wishes: () => [wish('a'), wish('open', { grants: [], customRoles: [auditor] })],
    },
  ];

  it.each(open)(
    '$what: leaves out the schema and all of its grants, and nothing else',
    async ({ wishes }) => {
      for (const schema of ['billing', 'other']) await writeSchema(schema, {});
      await write(setOf('billing', wishes(), ['open']));
      await write(setOf('other', [wish('b')]));
      await operation('open', 'pending');

      const { schemas, grants } = await read();

      expect(schemas.map(({ desired }) => desired.schema)).toEqual(['other']);
      expect(grants.map(({ schema }) => schema).sort()).toEqual(['other', undefined]);
    },
  );

  it.each(open)(
    '$what: is no more once the operation has ended, of which the wish is withdrawn',
    async ({ decided, wishes }) => {
      await writeSchema('billing', {});
      await write(setOf('billing', wishes(), ['open']));
      await operation('open', 'failed');
      expect((await schemaOf('billing'))?.desired.customRoles).toEqual([]);
      expect(await grantsOf('billing')).toMatchObject({ grants: decided, undecided: [] });
    },
  );

  it('a schema: is left out until the operation has ended', async () => {
    const intents = [{ operation: 'open', publishedAt: at(1), desired: {} }];
    await writeSchema('billing', {}, { intents });
    await operation('open', 'running');
    expect((await read()).schemas).toEqual([]);
    await operation('open', 'failed');
    expect((await read()).schemas).toHaveLength(1);
  });
});

describe('the owner that create-schema was given', () => {
  const olga = { role: 'owner', principal: 'olga' };
  const about = (mode: GrantSetWish['mode'], principal: string) =>
    wish(`${mode} ${principal}`, { mode, grants: [{ principal, kind: 'login', role: 'owner' }] });

  it('is neither demanded nor taken for a stranger', async () => {
    await writeSchema('billing', { owner: 'olga' });
    expect((await schemaOf('billing'))?.desired).not.toHaveProperty('owner');
    expect(await grantsOf('billing')).toMatchObject({ grants: [], undecided: [olga] });
  });

  it('is that, too, where the grants are about other owners, or about another role of his', async () => {
    await writeSchema('billing', { owner: 'olga' });
    const reading = wish('reading', { grants: [{ principal: 'olga', kind: 'login', role: 'reader' }] });
    await write(setOf('billing', [about('add', 'alice'), about('revoke', 'bob'), reading]));
    expect(await grantsOf('billing')).toMatchObject({ undecided: [olga] });
  });

  it.each([
    { mode: 'add' as const, present: true },
    { mode: 'revoke' as const, present: false },
  ])('is what the grants say, once there was a message to $mode him', async ({ mode, present }) => {
    await writeSchema('billing', { owner: 'olga' });
    await write(setOf('billing', [about(mode, 'olga')]));
    expect((await schemaOf('billing'))?.desired).not.toHaveProperty('owner');
    expect(await grantsOf('billing')).toMatchObject({ grants: [{ ...olga, present }], undecided: [] });
  });
});
