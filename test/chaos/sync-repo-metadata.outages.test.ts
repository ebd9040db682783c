import { describe, expect, it } from 'vitest';
import { githubMessage, useRepositories } from '../e2e/repositories.ts';
import { repositoryFunctions } from '../support/stack.ts';
import { type Point, watch } from './points.ts';
import { startChaosStack } from './stack.ts';

const cloud = useRepositories({ only: repositoryFunctions }, (options) =>
  startChaosStack(options, ['sync-repo-metadata']),
);

/** Resolves at a point, which is held until what is returned is called. */
function comeTo(isIt: (point: Point) => boolean) {
  const [met, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const end = watch(cloud.stack, (point) => {
    if (!isIt(point)) return undefined;
    end();
    met.resolve();
    return held.promise;
  });
  return { met: met.promise, goOn: held.resolve };
}

const points: readonly (readonly [string, (point: Point) => boolean])[] = [
  ['before there is a session', ({ call, phase }) => call === 'PostgreSQL: BEGIN' && phase === 'before'],
  [
    'while rows are on their way',
    ({ call, phase }) => call.startsWith('PostgreSQL: COPY') && phase === 'before',
  ],
  [
    'in the transaction that writes',
    ({ call, phase, about }) =>
      call === 'PostgreSQL: BEGIN' && phase === 'after' && about.includes('AS latest'),
  ],
];

describe('PostgreSQL', () => {
  it.each(
    points.flatMap(([when, isIt]) => (['fast', 'immediate'] as const).map((mode) => ({ when, isIt, mode }))),
  )('stops $when and comes back ($mode): the sync is done, once', async ({ when, isIt, mode }) => {
    const { stack, github } = cloud;
    const schema = `${when.replaceAll(' ', '_')}_${mode}`;
    const repository = github.createRepository(`acme/${schema}`);
    repository.commit({ files: { 'a.md': '# One\n', 'b.md': '# B\n' } });
    await cloud.done(githubMessage(`acme/${schema}`));
    await stack.pubsub.idle();
    const { sha } = repository.commit({ files: { 'a.md': '# Two\n' } });
    const { met, goOn } = comeTo(isIt);
    await stack.send('sync-repo-metadata', githubMessage(`acme/${schema}`), { id: schema });
    await met;
    await stack.cluster.stop(mode);
    goOn();
    await stack.cluster.start();

    expect(await stack.ended('sync-repo-metadata', schema)).toMatchObject({
      state: 'succeeded',
      summary: { documents: 2, added: 0, updated: 1, deleted: 0, unchanged: 1 },
      result: { commit: sha, number: 2 },
    });
    await stack.pubsub.idle();
    expect(await cloud.everything(schema)).toMatchObject({
      documents: [{ title: 'Two' }, { title: 'B' }],
      syncs: [{ number: 1 }, { number: 2 }],
    });
    expect(stack.worker.starts(), 'the function survived').toBe(1);
  });
});
