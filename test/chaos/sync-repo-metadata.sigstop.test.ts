import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { githubMessage, useRepositories } from '../e2e/repositories.ts';
import { permissivePolicy, repositoryFunctions } from '../support/stack.ts';
import { hold, type Point, watch } from './points.ts';
import { longSilenceSeconds, startChaosStack } from './stack.ts';

// PostgreSQL ends sessions that idle in a transaction after half a lease.
const environment = { DROVER_LEASE_SECONDS: '1' };

const cloud = useRepositories({ only: repositoryFunctions, environment }, (options) =>
  startChaosStack(options, ['sync-repo-metadata']),
);

let successor: FunctionProcess;

/** Two processes of one function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  const { stack, github } = cloud;
  successor = await startFunction({
    name: 'sync-repo-metadata',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('sync-repo-metadata', stack.cluster.port, permissivePolicy),
      ...environment,
      DROVER_GITHUB_API: github.base,
    },
  });
  await stack.messaging.topic('sync-repo-metadata').createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/sync-repo-metadata`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
});

afterAll(() => successor?.stop());

/** Stops the first process when it comes to a point; the call is held until it goes on. */
function freezeAt(isIt: (point: Point) => boolean) {
  const [frozen, thawed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const pid = cloud.stack.worker.pid();
  const end = watch(cloud.stack, async (point) => {
    if (!isIt(point)) return;
    end();
    process.kill(pid, 'SIGSTOP');
    frozen.resolve();
    await thawed.promise;
  });
  return {
    frozen: frozen.promise,
    thaw() {
      process.kill(pid, 'SIGCONT');
      thawed.resolve();
    },
  };
}

/** A point about what is written to the tables, of all transactions of a run the one of which its inspection knows `latest`. */
const writes = (phase: Point['phase']) => (point: Point) =>
  point.call === 'PostgreSQL: BEGIN' && point.phase === phase && point.about.includes('AS latest');

function afterThat(first: (point: Point) => boolean, then: (point: Point) => boolean) {
  let isPast = false;
  return (point: Point) => {
    if (isPast) return then(point);
    isPast = first(point);
    return false;
  };
}

const isCommit = (phase: Point['phase']) => (point: Point) =>
  point.call === 'PostgreSQL: COMMIT' && point.phase === phase;

const isRecord = (phase: Point['phase']) => (point: Point) =>
  point.call.startsWith('Firestore: ') && point.phase === phase && point.about.includes('/repositories/');

const moments: readonly (readonly [string, () => (point: Point) => boolean])[] = [
  [
    'before it learns that it has the claim',
    () => (point) => point.call === 'Firestore: claim' && point.phase === 'after',
  ],
  [
    'while its rows are on their way',
    () => (point) => point.call.startsWith('PostgreSQL: COPY') && point.phase === 'before',
  ],
  ['before it begins to write', () => writes('before')],
  ['in its transaction, holding the lock', () => writes('after')],
  ['before it commits', () => afterThat(writes('after'), isCommit('before'))],
  ['when it has committed', () => afterThat(writes('after'), isCommit('after'))],
  ['before the registry has it', () => isRecord('before')],
  ['when the registry has it', () => isRecord('after')],
  ['while it completes', () => (point) => point.call === 'Firestore: complete' && point.phase === 'before'],
];

/** All that is known, down to the last write of each record. */
async function everything(schema: string, ids: readonly string[]) {
  const written = (operationId: string) =>
    cloud.stack.db
      .collection('operations')
      .doc(operationDocumentId('sync-repo-metadata', { operationId, dryRun: false }))
      .get()
      .then(({ updateTime }) => updateTime?.toDate());
  return {
    tables: await cloud.everything(schema),
    registry: await cloud.registered(`acme/${schema}`, schema),
    written: await Promise.all(ids.map(written)),
  };
}

describe('a worker that is frozen past its lease', () => {
  it.each(moments.map(([moment, at], index) => ({ moment, at, index })))(
    '$moment overwrites nothing',
    async ({ at, index }) => {
      const { stack, github } = cloud;
      const schema = `frozen_${index}`;
      const repository = github.createRepository(`acme/${schema}`);
      repository.commit({ files: { 'a.md': '# One\n', 'b.md': '# B\n' } });
      await cloud.done(githubMessage(`acme/${schema}`));
      await stack.pubsub.idle();
      const second = repository.commit({ files: { 'a.md': '# Two\n' } }).sha;
      const copy = hold(stack, 'Pub/Sub: push to successor');
      const worker = freezeAt(at());
      const message = githubMessage(`acme/${schema}`, { ref: 'refs/heads/main', commit: second });
      await stack.send('sync-repo-metadata', message, { id: schema });
      await Promise.all([worker.frozen, copy.met]);

      stack.firestore.advance(longSilenceSeconds);
      copy.letGo();
      const taken = await stack.ended('sync-repo-metadata', schema);
      const third = repository.commit({ files: { 'a.md': '# Three\n' } }).sha;
      await stack.send('sync-repo-metadata', githubMessage(`acme/${schema}`), { id: `${schema}-newer` });
      await stack.ended('sync-repo-metadata', `${schema}-newer`);
      while (!(await stack.record('sync-repo-metadata', `${schema}-newer`))?.reported);
      const before = await everything(schema, [schema, `${schema}-newer`]);
      worker.thaw();
      await stack.pubsub.idle();

      expect(taken).toMatchObject({ state: 'succeeded', result: { commit: second, number: 2 } });
      expect(taken.summary).toMatchObject({ documents: 2, updated: 1, unchanged: 1 });
      expect(await everything(schema, [schema, `${schema}-newer`])).toEqual(before);
      expect(before.registry).toMatchObject({ state: 'synced', commit: third, number: 3 });
      expect(before.tables).toMatchObject({
        documents: [{ title: 'Three' }, { title: 'B' }],
        syncs: [{ number: 1 }, { number: 2 }, { number: 3 }],
      });
      const id = operationDocumentId('sync-repo-metadata', { operationId: schema, dryRun: false });
      expect(new Set(stack.results.get(id)?.map((event) => event.id)).size).toBe(1);
      expect(stack.worker.starts(), 'the frozen process survived').toBe(1);
    },
  );
});
