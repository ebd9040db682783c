import type { Transaction } from '@google-cloud/firestore';
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Compared, Refusal } from '../../../../functions/ingest-object/manifest/compare/model.ts';
import { grantsMessage } from '../../../../functions/ingest-object/manifest/derived.ts';
import { drive } from '../../../../functions/ingest-object/manifest/drive.ts';
import type { Patience } from '../../../../functions/ingest-object/manifest/patience.ts';
import type { Generation } from '../../../../functions/ingest-object/manifest/publication.ts';
import { followSent, planSteps } from '../../../../functions/ingest-object/manifest/steps.ts';
import type { WantedGrants } from '../../../../functions/ingest-object/manifest/wanted.ts';
import { type LocalPubSub, startPubSub } from '../../../../local/pubsub/index.ts';
import { closePubSub } from '../../../../shared/gcp/pubsub.ts';
import { Deferred } from '../../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../../shared/operation/definition.ts';
import { readManifestRecord } from '../../../../shared/registry/manifests/store.ts';
import { operationDocumentId } from '../../../../shared/registry/operations.ts';
import { publishTime, useRegistry } from '../../../shared/registry/fixture.ts';

interface Message {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

const registry = useRegistry();
let pubsub: LocalPubSub;
let published: Message[] = [];
/** What the function that gets a message does, as soon as it is published. */
let onMessage: (message: Message) => Promise<unknown>;

beforeAll(async () => {
  pubsub = await startPubSub();
  process.env['PUBSUB_EMULATOR_HOST'] = pubsub.host;
  const client = new PubSub({ projectId: 'acme', apiEndpoint: pubsub.host, emulatorMode: true });
  await client.createTopic('create-schema');
  await client.createTopic('grant-roles');
  await client.close();
  pubsub.intercept = async ({ method, phase, request }) => {
    if (method !== 'Publish' || phase !== 'after') return;
    for (const message of request['messages'] as Message[]) {
      published.push(message);
      await onMessage(message);
    }
  };
});

beforeEach(() => {
  published = [];
  onMessage = (message) => end(message, 'succeeded');
});

afterAll(async () => {
  await closePubSub();
  await pubsub.close();
});

const generation: Generation = {
  event: 'OBJECT_FINALIZE',
  bucket: 'uploads',
  object: 'manifests/a.yaml',
  generation: '7',
  round: 1,
};

const operations = () => registry.db.collection('operations');
const idOf = (operationId: string, tenant?: string, name = 'create-schema') =>
  operationDocumentId(name, { operationId, dryRun: false, ...(tenant && { tenant }) });
const end = ({ attributes, data }: Message, state: string, more = {}) =>
  operations()
    .doc(idOf(attributes['operation-id'] ?? '', attributes['tenant'], functionOf(data)))
    .set({ state, changes: [], ...more });
/** What a message of these tests is for. */
const functionOf = (data: Buffer) => ('mode' in JSON.parse(String(data)) ? 'grant-roles' : 'create-schema');

const item = (name: string, after: string[] = [], differs = true): Compared => {
  const derived = { function: 'create-schema', message: { schema: name } } as const;
  return {
    wanted: {
      kind: 'schema',
      key: `schema ${name}`,
      after: after.map((one) => `schema ${one}`),
      schema: name,
      message: { schema: name, levels: [], adopt: false, lockDatabase: false },
    },
    about: `app.${name}`,
    parts: [{ index: 0, derived: differs ? derived : undefined, whole: derived, changes: [] }],
    refusals: [],
    expired: 0,
    notes: [],
  };
};

const operation = (more: Partial<OperationContext> = {}) =>
  ({
    id: 'mine',
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
    assertHeld: () => undefined,
    asked: { publishedAt: publishTime, claimedActor: 'ann' },
    transact: (_: unknown, update: (transaction: Transaction) => Promise<unknown>) =>
      registry.db.runTransaction((transaction) => update(transaction)),
    ...more,
  }) as unknown as OperationContext;

const document = () => registry.db.collection('manifests').doc('a');
const recorded = async () => readManifestRecord(await document().get());

interface Given {
  readonly context?: OperationContext;
  readonly round?: number;
  readonly forced?: boolean;
  readonly tenant?: string;
  readonly patience?: Partial<Patience>;
}

async function driven(
  items: readonly Compared[],
  { context = operation(), round = 1, forced = false, tenant, patience = {} }: Given = {},
) {
  const ref = document();
  if (!(await ref.get()).exists) await ref.set({ generation: '7', operation: 'mine' });
  const progress = await planSteps(items, { ...generation, round, tenant }, forced, ref);
  const sent = (await recorded())?.sent ?? {};
  followSent(progress, sent);
  by = await drive(progress, { ref, generation, sent, patience }, context);
  ({ over, refused } = progress);
  return Object.fromEntries(progress.states);
}

/** What came of the last call. */
let by: string | undefined;
let over: ReadonlyMap<string, number>;
let refused: ReadonlyMap<string, Refusal>;

const schemasOf = () => published.map(({ data }) => (JSON.parse(String(data)) as { schema: string }).schema);

describe('a manifest’s operations', () => {
  it('are sent in their order, dated as the manifest is, under ids of their own', async () => {
    expect(await driven([item('a', ['b']), item('b'), item('c', [], false)])).toEqual({
      'schema a #0': 'done',
      'schema b #0': 'done',
      'schema c #0': 'unchanged',
    });
    expect(schemasOf()).toEqual(['b', 'a']);
    for (const { attributes } of published) {
      expect(attributes).toEqual({
        'operation-id': expect.stringMatching(/^m-[0-9a-f]{40}$/),
        'original-publish-time': publishTime.toISOString(),
        'claimed-actor': 'ann',
      });
    }
  });

  it('of a manifest in a tenant’s folder are that tenant’s', async () => {
    expect(await driven([item('a')], { tenant: 'acme' })).toEqual({ 'schema a #0': 'done' });
    expect(published[0]?.attributes['tenant']).toBe('acme');
    // Known by the record that a tenant's operation has.
    expect(await driven([item('a')], { tenant: 'acme' })).toEqual({ 'schema a #0': 'done' });
    expect(schemasOf()).toEqual(['a']);
  });

  it('that would be refused whatever comes before are not sent, and what comes after is skipped', async () => {
    const refusals = [{ code: 'TENANT_MISMATCH', message: 'It has another level.', isFinal: true }] as const;
    expect(await driven([{ ...item('a'), refusals }, item('b', ['a']), item('c')])).toEqual({
      'schema a #0': 'failed',
      'schema b #0': 'skipped',
      'schema c #0': 'done',
    });
    expect(schemasOf()).toEqual(['c']);
    expect(await driven([{ ...item('d', [], false), refusals }])).toEqual({ 'schema d #0': 'unchanged' });
    const unsure = [{ code: 'PRINCIPAL_NOT_FOUND', message: 'It may be there by then.' }];
    expect(await driven([{ ...item('e'), refusals: unsure }])).toEqual({ 'schema e #0': 'done' });
  });

  it('that an earlier attempt sent are waited for, and not sent again', async () => {
    onMessage = (message) => end(message, 'running');
    const signal = AbortSignal.timeout(300);
    await expect(driven([item('a'), item('b')], { context: operation({ signal }) })).rejects.toThrow();
    expect(schemasOf()).toEqual(['a', 'b']);
    const [a, b] = published;
    if (!a || !b) throw new Error('nothing was sent');
    await end(a, 'succeeded');
    await end(b, 'failed');

    expect(await driven([item('a', [], false), item('b'), item('c', ['b'])])).toEqual({
      'schema a #0': 'done',
      'schema b #0': 'failed',
      'schema c #0': 'skipped',
    });
    expect(schemasOf()).toEqual(['a', 'b']);

    onMessage = (message) => end(message, 'succeeded');
    expect(await driven([item('a', [], false), item('b'), item('c', ['b'])], { round: 2 })).toEqual({
      'schema a #0': 'done',
      'schema b #0': 'done',
      'schema c #0': 'done',
    });
    expect(schemasOf()).toEqual(['a', 'b', 'b', 'c']);
    expect(published[2]?.attributes['operation-id']).toBe(`${b.attributes['operation-id']}-2`);
  });

  it('are all sent where what they look like doesn’t count', async () => {
    expect(await driven([item('a', [], false)], { forced: true })).toEqual({ 'schema a #0': 'done' });
    expect(schemasOf()).toEqual(['a']);
  });

  it('wait for their next turn where time runs out', async () => {
    onMessage = async () => undefined;
    const error = await driven([item('a')], { context: operation({ remainingMs: () => 19_000 }) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Deferred);
    expect(schemasOf()).toEqual(['a']);
  });

  it('are no more once a newer generation was begun', async () => {
    onMessage = () => document().set({ generation: '8', operation: 'other' });
    expect(await driven([item('a'), item('b', ['a'])])).toMatchObject({ 'schema b #0': 'waiting' });
    expect(by).toBe('8');
    expect(schemasOf()).toEqual(['a']);
  });

  it('are not sent where a newer generation is begun in the last moment', async () => {
    await document().set({ generation: '8', operation: 'other' });
    expect(await driven([item('a')])).toEqual({ 'schema a #0': 'waiting' });
    expect([by, schemasOf(), (await recorded())?.sent]).toEqual(['8', [], undefined]);
  });

  const grants = (expiresAt: (string | undefined)[], more: Partial<WantedGrants> = {}): Compared => {
    const wanted: WantedGrants = {
      ...{ kind: 'grants', key: 'grants a', after: [], schema: 'a', mode: 'add', customRoles: [] },
      createMissing: false,
      grants: expiresAt.map((end, at) => ({
        ...{ principal: `p${at}`, kind: 'login', level: 'reader' },
        ...(end === undefined ? {} : { expiresAt: end }),
      })),
      ...more,
    };
    const where = { target: { instance: 'acme:europe-west1:main', database: 'app' } };
    const derived = grantsMessage(wanted, wanted.grants, [], {
      ...where,
      ownSchema: undefined,
      exists: true,
    });
    const part = { index: 0, derived, whole: derived, changes: [] };
    return { wanted, about: 'app.a', parts: [part], refusals: [], expired: 0, notes: [] };
  };

  it('leave out what is over by the time that they are sent', async () => {
    const soon = new Date(Date.now() + 1000).toISOString();
    expect(await driven([grants([undefined, soon])])).toEqual({ 'grants a #0': 'done' });
    expect(published.map(({ data }) => JSON.parse(String(data)) as object)).toMatchObject([
      { grants: [{ principal: 'p0' }] },
    ]);
    expect([...over]).toEqual([['grants a #0', 1]]);
    expect(await driven([grants([soon], { key: 'grants b' })])).toEqual({ 'grants b #0': 'unchanged' });
    expect(published).toHaveLength(1);
  });

  it('are written down before they are published, and who grants something is kept', async () => {
    onMessage = async (message) => {
      const { sent = {} } = (await recorded()) ?? {};
      expect(Object.values(sent)).toMatchObject([{ key: 'grants a', run: 'OBJECT_FINALIZE 7' }]);
      await end(message, 'succeeded');
    };
    expect(await driven([grants([undefined])])).toEqual({ 'grants a #0': 'done' });
    const [message] = published;
    const id = idOf(message?.attributes['operation-id'] ?? '', undefined, 'grant-roles');
    expect((await recorded())?.grantedBy).toEqual([id.slice(0, 20)]);
  });

  it('are dated as their part says, where that is older', async () => {
    const dated = new Date(publishTime.getTime() - 5000);
    const { parts, ...rest } = grants([undefined], { mode: 'revoke' });
    await driven([{ ...rest, parts: parts.map((part) => ({ ...part, dated })) }]);
    expect(published[0]?.attributes['original-publish-time']).toBe(dated.toISOString());
    expect((await recorded())?.grantedBy).toEqual([]);
  });

  it('of which nothing is heard are waited for, then published again, and at last given up', async () => {
    onMessage = async () => undefined;
    const patience = { stillMs: 0, resendMs: 60_000 };
    await expect(driven([item('a')], { patience })).rejects.toThrow(Deferred);
    await expect(driven([item('a')], { patience })).rejects.toThrow(Deferred);
    expect(schemasOf()).toEqual(['a']);

    const age = async (ms: number) => {
      const { sent = {} } = (await recorded()) ?? {};
      const older = (date: Date) => new Date(date.getTime() - ms);
      const aged = Object.entries(sent).map(([id, one]) => [
        id,
        { ...one, at: older(one.at), last: older(one.last) },
      ]);
      await document().update({ sent: Object.fromEntries(aged) as object });
    };
    await age(61_000);
    const context = operation({ signal: AbortSignal.timeout(2000) });
    const waiting = { stillMs: 300, resendMs: 60_000 };
    await expect(driven([item('a')], { patience: waiting, context })).rejects.toThrow(Deferred);
    expect(schemasOf()).toEqual(['a', 'a']);

    await age(25 * 3_600_000);
    expect(await driven([item('a'), item('b', ['a'])], { patience: waiting })).toEqual({
      'schema a #0': 'failed',
      'schema b #0': 'skipped',
    });
    const [first] = published;
    expect([...refused.values()]).toMatchObject([
      {
        code: 'OPERATION_LOST',
        message: expect.stringContaining(first?.attributes['operation-id'] ?? '-') as string,
      },
    ]);
    expect(schemasOf()).toEqual(['a', 'a']);
  });

  it('are sent by nobody who may have lost the manifest’s', async () => {
    const assertHeld = () => {
      throw new Error('the lease may be over');
    };
    await expect(driven([item('a')], { context: operation({ assertHeld }) })).rejects.toThrow('lease');
    expect(schemasOf()).toEqual([]);
  });

  it('are fifty at a time', async () => {
    const items = Array.from({ length: 60 }, (_, index) => item(`s${index}`));
    onMessage = async () => undefined;
    const context = operation({ remainingMs: () => 1000 });
    await expect(driven(items, { context })).rejects.toThrow(Deferred);
    expect(schemasOf().toSorted()).toEqual(Array.from({ length: 50 }, (_, index) => `s${index}`).toSorted());

    onMessage = (message) => end(message, 'succeeded');
    for (const message of published) await end(message, 'succeeded');
    expect(new Set(Object.values(await driven(items)))).toEqual(new Set(['done']));
    expect(published).toHaveLength(60);
  });
});
