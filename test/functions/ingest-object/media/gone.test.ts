import { beforeEach, describe, expect, it } from 'vitest';
import { findObject } from '../../../../shared/gcp/storage/objects.ts';
import {
  bucket,
  deleted,
  failureOf,
  finalized,
  image,
  mediaRoute,
  routes,
  target,
  useWorld,
} from './world.ts';

const world = useWorld();
const { signal } = new AbortController();

let count = 0;
let name: string;
beforeEach(() => {
  name = `photos/alice/original/${++count}/a.jpg`;
});

const namesOf = async () =>
  (await world.rows(name)).flatMap(({ previews }) => previews.map(({ object }) => object));
const ours = () => world.previewsOf(name);

describe('an object that is deleted', () => {
  it('has neither row nor previews', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    await world.remove(name);

    const outcome = await world.deliver(deleted(put));

    expect(outcome.changes).toMatchObject([
      { action: 'delete', kind: 'media' },
      { action: 'delete', kind: 'previews' },
    ]);
    expect(outcome.notes).toEqual([]);
    expect(await world.rows(name)).toEqual([]);
    expect(await ours()).toEqual([]);
  });

  it('and is there again keeps what the newer one has', async () => {
    const first = await world.put(name, await image());
    await world.deliver(finalized(first));
    await world.remove(name);
    const second = await world.put(name, await image());
    await world.deliver(finalized(second));

    const archived = { ...deleted(first), event: 'OBJECT_ARCHIVE' as const };
    for (const event of [deleted(first), archived])
      expect(await world.deliver(event)).toMatchObject({ changes: [], notes: [{ code: 'SUPERSEDED' }] });

    expect(await world.rows(name)).toMatchObject([{ generation: second.generation }]);
    expect(await ours()).toHaveLength(3);
  });

  it('before it is read has nothing', async () => {
    const put = await world.put(name, await image());
    await world.remove(name);

    const outcome = await world.deliver(finalized(put));

    expect(outcome).toMatchObject({ changes: [], notes: [{ code: 'GONE' }] });
    expect(await world.rows(name)).toEqual([]);
  });

  it('leaves nothing where there is no table', async () => {
    const route = mediaRoute({ bucket, objects: 'photos/**', target, schema: 'nowhere' });
    const put = await world.put(name, await image());
    await world.remove(name);

    expect(await world.deliver(deleted(put), { route })).toMatchObject({ changes: [] });
    expect(await world.query("SELECT FROM pg_namespace WHERE nspname = 'nowhere'")).toEqual([]);
  });
});

describe('what can’t be shown', () => {
  it.each([
    ['NOT_AN_IMAGE', Buffer.from('hello'), {}],
    ['OBJECT_EMPTY', Buffer.alloc(0), {}],
    ['OBJECT_TOO_LARGE', undefined, { bytes: 10 }],
    ['IMAGE_TOO_LARGE', undefined, { pixels: 100 }],
  ])('is refused for good (%s), and what was before is gone', async (code, content, limits) => {
    const first = await world.put(name, await image());
    await world.deliver(finalized(first));
    const second = await world.put(name, content ?? (await image()));
    const route = { ...routes.users, ...limits };

    const error = await failureOf(world.deliver(finalized(second), { route }));

    expect(error).toMatchObject({
      code,
      retryable: false,
      details: { generation: second.generation, removed: first.generation, previews: 3 },
    });
    expect(error.message).toContain(first.generation);
    expect(await world.rows(name)).toEqual([]);
    expect(await ours()).toEqual([]);
    expect((await world.live(name))?.generation).toBe(second.generation);
  });

  it('keeps the row that shows it as it was when the route allowed it', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));

    const error = await failureOf(world.deliver(finalized(put), { route: { ...routes.users, bytes: 10 } }));

    expect(error).toMatchObject({ code: 'OBJECT_TOO_LARGE', details: { removed: null, previews: 0 } });
    expect(await world.rows(name)).toMatchObject([{ generation: put.generation }]);
    expect(await ours()).toHaveLength(3);
  });

  it('and is there no more is no failure', async () => {
    const first = await world.put(name, Buffer.from('hello'));
    const content = await image();
    world.storage.intercept = async ({ phase, request }) => {
      if (phase !== 'after' || request['alt'] !== 'media') return;
      world.storage.intercept = undefined;
      await world.put(name, content);
    };

    expect(await world.deliver(finalized(first))).toMatchObject({ notes: [{ code: 'SUPERSEDED' }] });
  });

  it('is in the folder of who can’t be', async () => {
    for (const user of ['.', '..']) {
      const put = await world.put(`photos/${user}/original/a.jpg`, await image());
      expect(await failureOf(world.deliver(finalized(put)))).toMatchObject({
        code: 'USER_NOT_ALLOWED',
        retryable: false,
      });
    }
  });

  it('is in the folder of who has too long a name for previews', async () => {
    const user = 'é'.repeat(495);
    const put = await world.put(`photos/${user}/original/a.jpg`, await image());

    const error = await failureOf(world.deliver(finalized(put)));

    expect(error).toMatchObject({ code: 'USER_NOT_ALLOWED', retryable: false });
    expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain('é'.repeat(150));
  });

  it('is of a database that the policy doesn’t allow', async () => {
    const route = { ...routes.users, target: { ...target, database: 'other' } };
    const put = await world.put(name, await image());

    expect(await failureOf(world.deliver(finalized(put), { route }))).toMatchObject({ code: 'NOT_ALLOWED' });
  });
});

describe('a dry run', () => {
  it('says what would be done, and does nothing', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(await world.put(`catalogue/${count}.jpg`, await image())));
    const before = await world.previews();

    const outcome = await world.deliver(finalized(put), { dryRun: true });

    expect(outcome).toMatchObject({ summary: { previews: 3 }, result: { width: 64, height: 48 } });
    expect(outcome.result?.['previews']).toHaveLength(3);
    expect(await world.rows(name)).toEqual([]);
    expect(await world.previews()).toEqual(before);
  });

  it('makes no table, and has its statements', async () => {
    const route = mediaRoute({ bucket, objects: 'photos/{user}/original/**', target, schema: 'planned' });
    const put = await world.put(name, await image());

    const outcome = await world.deliver(finalized(put), { route, dryRun: true });

    expect(outcome.statements?.join('\n')).toMatch(
      /CREATE SCHEMA.*CREATE TABLE "planned"\."media".*CREATE POLICY/s,
    );
    expect(outcome.changes).toContainEqual({ action: 'create', kind: 'table', name: 'planned.media' });
    expect(await world.query("SELECT FROM pg_namespace WHERE nspname = 'planned'")).toEqual([]);
  });

  it('takes nothing away', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    await world.remove(name);

    const outcome = await world.deliver(deleted(put), { dryRun: true });

    expect(outcome.changes).toMatchObject([{ kind: 'media' }, { kind: 'previews' }]);
    expect(await world.rows(name)).toHaveLength(1);
    expect(await ours()).toHaveLength(3);
    expect(await findObject({ bucket, name: (await namesOf())[0] ?? '' }, signal)).toBeDefined();
  });
});
