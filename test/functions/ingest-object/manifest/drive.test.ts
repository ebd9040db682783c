import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Compared } from '../../../../functions/ingest-object/manifest/compare/model.ts';
import { drive, Overtaken } from '../../../../functions/ingest-object/manifest/drive.ts';
import type { Generation } from '../../../../functions/ingest-object/manifest/publication.ts';
import { planSteps } from '../../../../functions/ingest-object/manifest/steps.ts';
import { type LocalPubSub, startPubSub } from '../../../../local/pubsub/index.ts';
import { closePubSub } from '../../../../shared/gcp/pubsub.ts';
import { Deferred } from '../../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../../shared/operation/definition.ts';
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
const idOf = (operationId: string) => operationDocumentId('create-schema', { operationId, dryRun: false });
const end = ({ attributes }: Message, state: string, more = {}) =>
  operations()
    .doc(idOf(attributes['operation-id'] ?? ''))
    .set({ state, changes: [], ...more });

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
  };
};

const operation = (more: Partial<OperationContext> = {}) =>
  ({
    id: 'mine',
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
    assertHeld: () => undefined,
    asked: { publishedAt: publishTime, claimedActor: 'ann' },
    ...more,
  }) as unknown as OperationContext;

async function driven(items: readonly Compared[], { context = operation(), round = 1, forced = false } = {}) {
  const ref = registry.db.collection('manifests').doc('a');
  if (!(await ref.get()).exists) await ref.set({ generation: '7', operation: 'mine' });
  const progress = await planSteps(items, { ...generation, round }, forced, ref);
  await drive(progress, { ref, generation: '7' }, context);
  return Object.fromEntries(progress.states);
}

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
    onMessage = () =>
      registry.db.collection('manifests').doc('a').set({ generation: '8', operation: 'other' });
    await expect(driven([item('a'), item('b', ['a'])])).rejects.toThrow(Overtaken);
    expect(schemasOf()).toEqual(['a']);
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
