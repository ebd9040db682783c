import { describe, expect, it } from 'vitest';
import { hash } from '../../../../shared/operation/canonical.ts';
import type { OperationContext } from '../../../../shared/operation/definition.ts';
import { transactAsHolder } from '../../../../shared/registry/claims.ts';
import type { Claimed, ManifestPlace } from '../../../../shared/registry/manifests/model.ts';
import { noteSent } from '../../../../shared/registry/manifests/sent.ts';
import {
  beginDeletion,
  beginManifest,
  endManifest,
  findConflicts,
  manifestRef,
  readManifestRecord,
  stampOf,
} from '../../../../shared/registry/manifests/store.ts';
import { useRegistry } from '../fixture.ts';

const registry = useRegistry();

const a: ManifestPlace = { bucket: 'uploads', object: 'manifests/a.yaml' };
const b: ManifestPlace = { bucket: 'uploads', object: 'manifests/b.yaml' };
const scope = ['database', 'acme:europe-west1:main', 'app'];
const billing: Claimed[] = [{ scope, names: ['schema billing'] }];
const counts = { unchanged: 0, changed: 1, failed: 0, skipped: 0 };
const nobody = () => undefined;

type Context = Pick<OperationContext, 'id' | 'registry' | 'transact'>;

async function operation(id: string): Promise<Context> {
  const claim = await registry.claim({ id, functionName: 'ingest-object' });
  return {
    id,
    registry: async (collection, ...key) => registry.db.collection(collection).doc(hash(...key).slice(0, 40)),
    transact: (refs, update) => transactAsHolder(registry.db, claim, refs, update),
  };
}

const begin = (
  context: Context,
  place: ManifestPlace,
  {
    generation = '1',
    claims = billing,
    revoking = [] as Claimed[],
    goneAs = nobody as (one: ManifestPlace) => string | undefined,
  } = {},
) => {
  const wish = { event: 'OBJECT_FINALIZE', generation, operation: context.id } as const;
  return beginManifest(context, { place, wish, text: `text of ${generation}`, claims, revoking }, goneAs);
};

const recordOf = async (context: Context, place: ManifestPlace) =>
  readManifestRecord(await (await manifestRef(context, place)).get());

const claims = async () => {
  const { docs } = await registry.db.collection('manifest-claims').get();
  return Object.assign({}, ...docs.map((one) => one.get('holders') as object)) as Record<
    string,
    ManifestPlace
  >;
};

describe('manifests in the registry', () => {
  it('that speak of the same and are begun at once: one of them has it, the other learns whose it is', async () => {
    const [one, two] = [await operation('one'), await operation('two')];

    const begun = await Promise.all([begin(one, a), begin(two, b)]);

    expect(begun.map(({ kind }) => kind).toSorted()).toEqual(['begun', 'conflict']);
    const [winner, loser] = begun[0]?.kind === 'begun' ? [a, b] : [b, a];
    expect(await claims()).toEqual({ 'schema billing': winner });
    expect(begun.find(({ kind }) => kind === 'conflict')).toMatchObject({ conflicts: [{ holder: winner }] });
    expect(await recordOf(one, loser)).toBeUndefined();
    expect(await findConflicts(one, loser, billing)).toMatchObject([{ holder: winner }]);
    expect(await findConflicts(one, winner, billing)).toEqual([]);
  });

  it('keep what is being taken back until that is done', async () => {
    const one = await operation('one');
    await begin(one, a);
    await endManifest(one, a, { generation: '1', state: 'applied', counts, claims: billing });
    const sales: Claimed[] = [{ scope, names: ['schema sales'] }];
    const other: Claimed[] = [{ scope, names: ['schema other'] }];

    const begun = await begin(one, a, { generation: '2', claims: sales, revoking: [...billing, ...other] });

    expect(begun).toMatchObject({ kind: 'begun', before: [{ text: 'text of 1', applied: true }] });
    expect(begun.kind === 'begun' && begun.held.flatMap(({ names }) => names)).toEqual(['schema billing']);
    expect(await claims()).toEqual({ 'schema billing': a, 'schema sales': a });
    await endManifest(one, a, { generation: '2', state: 'applied', counts, claims: sales });
    expect(await claims()).toEqual({ 'schema sales': a });
  });

  it('of which the newest begins while an older one ends: that ends nothing', async () => {
    const [one, two] = [await operation('one'), await operation('two')];
    await begin(one, a);
    expect(await begin(two, a, { generation: '2' })).toMatchObject({ kind: 'begun', forced: true });

    expect(await endManifest(one, a, { generation: '1', state: 'applied', counts, claims: [] })).toBe(false);

    expect(await recordOf(one, a)).toMatchObject({ generation: '2', state: 'applying', operation: 'two' });
    expect(await begin(one, a)).toEqual({ kind: 'late', generation: '2' });
  });

  it('are begun by nobody who lost the operation', async () => {
    const one = await operation('one');
    await registry.db.collection('operations').doc('one').update({ owner: 'another worker' });

    await expect(begin(one, a)).rejects.toThrow(/took operation one over/);
    expect(await recordOf(one, a)).toBeUndefined();
    expect(await claims()).toEqual({});
  });

  it('take over from one that is gone, and ask for all where that had not ended', async () => {
    const [one, two] = [await operation('one'), await operation('two')];
    await begin(one, a);
    const stamp = stampOf(await recordOf(one, a));
    const goneAs = ({ object }: ManifestPlace) => (object === a.object ? stamp : undefined);

    expect(await begin(two, b, { goneAs })).toMatchObject({ kind: 'begun', forced: true });

    expect(await claims()).toEqual({ 'schema billing': b });
    const wish = { event: 'OBJECT_DELETE', generation: '1', operation: 'one' } as const;
    const deletion = await beginDeletion(one, a, wish);
    expect(deletion).toMatchObject({ kind: 'begun', held: [{ names: [] }], before: [{ generation: '1' }] });
    await endManifest(one, a, { generation: '1', state: 'deleted', counts, claims: [] });
    expect(await claims()).toEqual({ 'schema billing': b });
    expect(await recordOf(one, a)).toMatchObject({ state: 'deleted', text: null, claims: [], before: [] });
  });

  it('take over nothing from one that was uploaded again since it was looked for', async () => {
    const [one, two, three] = [await operation('one'), await operation('two'), await operation('three')];
    await begin(one, a);
    const stamp = stampOf(await recordOf(one, a));
    await begin(three, a, { generation: '2' });
    const goneAs = ({ object }: ManifestPlace) => (object === a.object ? stamp : undefined);

    expect(await begin(two, b, { goneAs })).toMatchObject({ kind: 'conflict', conflicts: [{ holder: a }] });
    expect(await claims()).toEqual({ 'schema billing': a });
  });

  it('have written down what is sent, until they ended: by nobody who was overtaken', async () => {
    const [one, two] = [await operation('one'), await operation('two')];
    await begin(one, a);
    const ref = await manifestRef(one, a);
    const id = 'f'.repeat(40);
    const part = { key: 'grants billing', function: 'grant-roles', run: 'OBJECT_FINALIZE 1', hash: 'h' };
    expect(await noteSent(one, ref, '1', [{ ...part, id, grants: true }], [])).toBeUndefined();
    const { at } = (await recordOf(one, a))?.sent[id] ?? {};
    await noteSent(one, ref, '1', [{ ...part, id, grants: true }], []);
    expect((await recordOf(one, a))?.sent).toEqual({ [id]: { ...part, at, last: expect.any(Date) as Date } });

    const begun = await begin(two, a, { generation: '2' });
    expect(begun).toMatchObject({ sent: { [id]: part }, grantedBy: [id.slice(0, 20)] });
    expect(await noteSent(one, ref, '1', [{ ...part, id: 'another', grants: true }], [])).toBe('2');
    expect(Object.keys((await recordOf(one, a))?.sent ?? {})).toEqual([id]);
    await endManifest(two, a, { generation: '2', state: 'applied', counts, claims: billing });
    expect(await recordOf(one, a)).toMatchObject({ sent: {}, grantedBy: [id.slice(0, 20)] });
  });

  it('that are deleted keep their claims until they ended, and none after', async () => {
    const one = await operation('one');
    await begin(one, a);
    await endManifest(one, a, { generation: '1', state: 'incomplete', counts, claims: billing });
    const wish = { event: 'OBJECT_DELETE', generation: '1', operation: 'one' } as const;

    expect(await beginDeletion(one, a, wish)).toMatchObject({ held: billing, round: 1 });
    expect(await claims()).toEqual({ 'schema billing': a });
    expect(await recordOf(one, a)).toMatchObject({ state: 'deleting', settled: false });
    await endManifest(one, a, { generation: '1', state: 'deleted', counts, claims: [] });

    expect(await claims()).toEqual({});
    expect((await registry.db.collection('manifest-claims').get()).size).toBe(0);
    expect(await begin(one, a)).toMatchObject({ kind: 'late' });
    expect(await begin(one, a, { generation: '2' })).toMatchObject({
      kind: 'begun',
      forced: false,
      before: [],
    });
  });

  it('hold a thousand schemas and as many secrets', async () => {
    const one = await operation('one');
    const names = Array.from({ length: 1000 }, (_, index) => `schema s${index}`);
    const secrets = Array.from({ length: 256 }, (_, index) => ({
      scope: ['secrets', index.toString(16).padStart(2, '0')],
      names: Array.from({ length: 4 }, (__, at) => `app-${index}-${at}`),
    }));

    await begin(one, a, { claims: [{ scope, names }, ...secrets] });
    expect(Object.keys(await claims())).toHaveLength(2024);
    await endManifest(one, a, { generation: '1', state: 'deleted', counts, claims: [] });
    expect(await claims()).toEqual({});
  });
});
