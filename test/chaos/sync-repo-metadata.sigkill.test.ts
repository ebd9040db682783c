import { status } from '@grpc/grpc-js';
import { beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { githubMessage, type Tree, useRepositories } from '../e2e/repositories.ts';
import { repositoryFunctions } from '../support/stack.ts';
import { nameOf, type Point, watch } from './points.ts';
import { longSilenceSeconds, startChaosStack } from './stack.ts';

const cloud = useRepositories({ only: repositoryFunctions }, (options) =>
  startChaosStack(options, ['sync-repo-metadata']),
);

/** Of each version and the one before it: one file is new, one is another, one is gone, and one is as it was. */
const version = (number: number): Tree => ({
  'changed.md': `# Version ${number}\n`,
  'same.md': '# Same\n',
  [`new-${number}.md`]: '# New\n',
  'broken.md': '---\nx: [\n---\n',
});

const counts = { documents: 3, added: 1, updated: 1, deleted: 1, unchanged: 1, problems: 1 };

/** What the tables say. */
async function tables() {
  const [found] = await cloud.query(
    `SELECT (SELECT title FROM site.documents WHERE key = 'changed.md') AS title,
            (SELECT array_agg(key ORDER BY key) FROM site.documents) AS keys,
            (SELECT number::int FROM site.repositories) AS number,
            (SELECT array_agg(number::int ORDER BY number) FROM site.syncs) AS runs,
            (SELECT array_agg(DISTINCT operation) FROM site.syncs) AS operations`,
  );
  const { operations, ...rest } = found as { operations: string[]; runs: number[] };
  return { ...rest, operations: operations.length };
}

const complete = (number: number) => ({
  title: `Version ${number}`,
  keys: ['changed.md', `new-${number}.md`, 'same.md'],
  number,
  runs: Array.from({ length: number }, (_, index) => index + 1),
  operations: number,
});

const isDone = async (number: number) => (await tables())['number' as never] === number;

interface Met {
  readonly point: Point;
  readonly done: boolean;
}

let met: Met[];
let last = 0;

const send = async (id: string) => {
  last += 1;
  const message = await cloud.upload('site', version(last));
  return { number: last, publish: () => cloud.stack.send('sync-repo-metadata', message, { id }) };
};

/** The points of a sync that nothing disturbs, and whether the tables say at each what they are to say. */
beforeAll(async () => {
  for (const id of ['first', 'second']) {
    await (await send(id)).publish();
    await cloud.stack.pubsub.idle();
  }
  met = [];
  const { publish, number } = await send('undisturbed');
  const end = watch(cloud.stack, async (point) => {
    if (!point.call.includes("test's")) met.push({ point, done: await isDone(number) });
  });
  await publish();
  await cloud.stack.pubsub.idle();
  end();
});

/** Of a call's end and the beginning of the next one, between which nothing happens, one will do. */
function isWorthIt({ point }: Met, index: number): boolean {
  return point.phase === 'after' || met[index - 1]?.point.phase !== 'after';
}

/**
 * Kills the function when it comes to a point.
 *
 * @returns what the tables said before its message was delivered again
 */
async function killAt(fatal: string, publish: () => Promise<void>) {
  const { stack } = cloud;
  const [killed, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isDead = false;
  const end = watch(stack, async (point) => {
    const isPush = point.call === 'Pub/Sub: push' && point.phase === 'before';
    if (isDead) return isPush ? opened.promise : undefined;
    if (nameOf(point) !== fatal) return undefined;
    isDead = true;
    const [exited, restarted] = [stack.worker.exited(), stack.worker.restarted()];
    process.kill(stack.worker.pid(), 'SIGKILL');
    await exited;
    restarted.then(killed.resolve, killed.reject);
    throw new GrpcError(status.UNAVAILABLE, 'the function was killed here');
  });
  await publish();
  await Promise.race([
    killed.promise,
    stack.pubsub.idle().then(() => !isDead && killed.reject(new Error(`nothing came to "${fatal}"`))),
  ]);
  await killed.promise;
  const atDeath = await tables();
  // The dead are silent: the lease ends, and so does a transaction that was open.
  stack.firestore.advance(longSilenceSeconds);
  opened.resolve();
  await stack.pubsub.idle();
  end();
  await dropLogins();
  return atDeath;
}

const logins = async () =>
  (await cloud.query(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'sync\\_%'`)).map(({ rolname }) =>
    String(rolname),
  );

/** Logins of the dead are taken away after a minute: in the middle of a later run, whose points would be others. */
async function dropLogins(): Promise<void> {
  for (const login of await logins()) await cloud.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`);
}

/** What everybody else learns of an operation. */
async function learned(id: string) {
  const record = await cloud.stack.record('sync-repo-metadata', id);
  const results = cloud.stack.results.get(
    operationDocumentId('sync-repo-metadata', { operationId: id, dryRun: false }),
  );
  return {
    state: record?.state,
    reported: record?.reported,
    summary: record?.summary,
    events: [...new Map(results?.map((event) => [event.id, event])).values()].map(({ data }) => ({
      state: data.state,
      summary: data['summary'],
    })),
  };
}

describe('a sync that is killed', () => {
  it('leaves all or nothing at every point, and is completed by the next delivery, once', async () => {
    const worth = met.filter(isWorthIt);
    expect(worth.length).toBeGreaterThan(20);
    for (const [index, { point, done }] of worth.entries()) {
      const id = `killed-${index}`;
      const { number, publish } = await send(id);
      const what = nameOf(point);

      const atDeath = await killAt(what, publish);

      expect
        .soft(atDeath, `${what}, before its message came again`)
        .toEqual(complete(done ? number : number - 1));
      expect.soft(await tables(), what).toEqual(complete(number));
      expect.soft(await learned(id), what).toEqual({
        state: 'succeeded',
        reported: true,
        summary: counts,
        events: [{ state: 'succeeded', summary: counts }],
      });
      const registered = await cloud.registered('site', 'site');
      expect
        .soft(registered, what)
        .toMatchObject({ state: 'synced', number, counts, problems: [{ path: 'broken.md' }] });
    }
  }, 600_000);

  it('leaves a login that the next one takes away, when its time has come', async () => {
    const { worker, firestore, pubsub } = cloud.stack;
    const { publish } = await send('left');
    const end = watch(cloud.stack, async (point) => {
      if (!point.call.startsWith('PostgreSQL: COPY')) return;
      end();
      const exited = worker.exited();
      process.kill(worker.pid(), 'SIGKILL');
      await exited;
    });
    await publish();
    await expect.poll(logins, { timeout: 30_000 }).toHaveLength(1);
    const [left = ''] = await logins();
    await cloud.query(`ALTER ROLE ${left} VALID UNTIL '2001-01-01'`);
    firestore.advance(longSilenceSeconds);
    await pubsub.idle();
    expect(await learned('left')).toMatchObject({ state: 'succeeded', summary: counts });
    expect(await logins()).toEqual([]);
  });

  it('in the middle of a download, with rows on their way, leaves nothing of them', async () => {
    const { github, stack } = cloud;
    const repository = github.createRepository('acme/large');
    // More than is sent at once, and of what doesn't compress.
    const text = (seed: number) =>
      Array.from({ length: 3000 }, (_, n) => Math.sin(seed * 3001 + n).toString(36)).join(' ');
    const files = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`docs/${n}.md`, text(n)]));
    repository.commit({ files: { 'a.md': '# A\n' } });
    await cloud.done(githubMessage('acme/large'));
    const before = await cloud.everything('large');
    const { sha } = repository.commit({ files });
    const copied = Promise.withResolvers<void>();
    const end = watch(stack, ({ call, phase }) => {
      if (call.startsWith('PostgreSQL: COPY') && phase === 'before') copied.resolve();
    });
    github.downloadFault = { kind: 'stall', afterBytes: 2_500_000 };
    await stack.send('sync-repo-metadata', githubMessage('acme/large'), { id: 'large' });
    await copied.promise;
    end();
    const restarted = stack.worker.restarted();
    process.kill(stack.worker.pid(), 'SIGKILL');
    github.downloadFault = undefined;
    await restarted;
    expect(await cloud.everything('large')).toEqual(before);

    stack.firestore.advance(longSilenceSeconds);
    expect(await stack.ended('sync-repo-metadata', 'large')).toMatchObject({
      state: 'succeeded',
      summary: { documents: 121, added: 120, unchanged: 1 },
      result: { commit: sha, number: 2 },
    });
    expect(await cloud.query('SELECT count(*)::int FROM large.documents')).toEqual([{ count: 121 }]);
  });
});
