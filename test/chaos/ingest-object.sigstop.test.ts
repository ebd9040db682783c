import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { expectShown } from '../e2e/media.ts';
import { documentIdOf, operationIdOf } from '../e2e/objects.ts';
import { permissivePolicy, uploads } from '../support/stack.ts';
import { isPush, isTests, objectRoutes, picture, present, useObjectsChaos } from './objects.ts';
import { nameOf, type ShownPoint, watch } from './points.ts';
import { longSilenceSeconds } from './stack.ts';

// PostgreSQL ends sessions that idle in a transaction after half a lease.
const environment = { DROVER_LEASE_SECONDS: '1' };

const cloud = useObjectsChaos({ environment });

let successor: FunctionProcess;

/** Two processes of one function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  const { stack } = cloud;
  // Whatever happens once in a process has happened.
  await present(cloud, 'first');
  successor = await startFunction({
    name: 'ingest-object',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('ingest-object', stack.cluster.port, permissivePolicy),
      ...environment,
      DROVER_ROUTES: JSON.stringify(objectRoutes),
    },
  });
  await stack.messaging.topic('ingest-object').createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/ingest-object`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
});

afterAll(() => successor?.stop());

/**
 * Has the first process deal with an image, and freezes it when it comes to a point. Nothing else is told to anybody until then.
 *
 * @returns the image's generation
 */
async function freezeAt(fatal: string, object: string) {
  const { stack } = cloud;
  const [frozen, thawed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const pid = stack.worker.pid();
  const isOwn = ({ call, about }: ShownPoint) =>
    call === 'Pub/Sub: push' && about === `OBJECT_FINALIZE ${object}`;
  const endOthers = watch(stack, async (point) => {
    if (isPush(point) && point.phase === 'before' && !isOwn(point)) await frozen.promise;
  });
  const end = watch(
    stack,
    async (point) => {
      if (nameOf(point) !== fatal) return;
      end();
      process.kill(pid, 'SIGSTOP');
      frozen.resolve();
      await thawed.promise;
    },
    (point) => !isTests(point),
  );
  const generation = await cloud.put(object, await picture());
  await frozen.promise;
  endOthers();
  return {
    generation,
    thaw() {
      process.kill(pid, 'SIGCONT');
      thawed.resolve();
    },
  };
}

/** All that is known, down to the last write of each record and row. */
async function everything(user: string, object: string, generations: readonly string[]) {
  const written = (generation: string) =>
    cloud.stack.db
      .collection('operations')
      .doc(documentIdOf(object, generation))
      .get()
      .then(({ updateTime }) => updateTime?.toDate());
  const [files] = await cloud.storage.bucket(uploads).getFiles({ prefix: `previews/photos/${user}/` });
  return {
    rows: await cloud.query(`SELECT xmin::text, * FROM photos.media WHERE user_id = '${user}'`),
    previews: files.map(({ name, metadata }) => [name, metadata.generation]),
    written: await Promise.all(generations.map(written)),
  };
}

/** Resolves when nothing more is written of what was told of an image. */
async function reported(object: string, generation: string): Promise<void> {
  while (!(await cloud.stack.record('ingest-object', operationIdOf(object, generation)))?.reported);
}

const moments = [
  ['before it learns that it has the claim', 'after Firestore: claim'],
  ['before it reads the image', 'before Storage: objects.get (2)'],
  ['while it writes a preview', 'before Storage: objects.insert'],
  ['when it has written a preview', 'after Storage: objects.insert'],
  ['before it begins to write the row', 'before PostgreSQL: BEGIN (2)'],
  ['in its transaction, holding the lock', 'before Storage: objects.get (3)'],
  ['before it commits', 'before PostgreSQL: COMMIT (2)'],
  ['when it has committed', 'after PostgreSQL: COMMIT (2)'],
  ['before it knows which previews are to go', 'after Storage: objects.list'],
  ['while it deletes a former preview', 'before Storage: objects.delete'],
  ['while it completes', 'before Firestore: complete'],
] as const;

describe('a worker that is frozen past its lease', () => {
  it.each(
    moments.flatMap(([moment, at], index) =>
      [true, false].map((isTakenOver) => ({ moment, at, index, isTakenOver })),
    ),
  )(
    '$moment brings nothing back, when a newer image is shown (its own by another worker: $isTakenOver)',
    async ({ at, index, isTakenOver }) => {
      const { stack } = cloud;
      const user = `frozen${index}${isTakenOver ? 'a' : 'b'}`;
      const { object } = await present(cloud, user);
      const worker = await freezeAt(at, object);
      const older = worker.generation;

      const takeOver = async () => {
        stack.firestore.advance(longSilenceSeconds);
        return cloud.ended(object, older);
      };
      const taken = isTakenOver ? await takeOver() : undefined;
      const newer = await cloud.put(object, await picture());
      const ends = [cloud.ended(object, newer), cloud.ended(object, older, 'OBJECT_DELETE')];
      const overtaken = isTakenOver ? undefined : await takeOver();
      await Promise.all(ends);
      await Promise.all([reported(object, older), reported(object, newer)]);
      const before = await everything(user, object, [older, newer]);
      worker.thaw();
      await cloud.idle();

      if (taken) expect(taken).toMatchObject({ state: 'succeeded' });
      if (overtaken) expect(overtaken).toMatchObject({ notes: [{ code: 'SUPERSEDED' }] });
      expect(await everything(user, object, [older, newer])).toEqual(before);
      await expectShown(cloud, user, { [object]: newer });
      const results = stack.results.get(documentIdOf(object, older));
      expect(new Set(results?.map(({ id }) => id)).size).toBe(1);
      expect(stack.worker.starts(), 'the frozen process survived').toBe(1);
    },
  );
});
