import { beforeEach, describe, expect, it } from 'vitest';
import { bucket, deleted, finalized, image, later, routes, useWorld } from './world.ts';

const world = useWorld();

let count = 0;
let name: string;
beforeEach(() => {
  name = `photos/alice/original/${++count}/a.jpg`;
});

const namesOf = async () =>
  (await world.rows(name)).flatMap(({ previews }) => previews.map(({ object }) => object));
const ours = () => world.previewsOf(name);

describe('an image', () => {
  it('has a row and previews', async () => {
    const put = await world.put(name, await image(), { album: 'Alps', 'drover-failure': 'x' });

    const outcome = await world.deliver(finalized(put));

    const [row] = await world.rows(name);
    expect(row).toMatchObject({
      user_id: 'alice',
      bucket,
      object: name,
      generation: put.generation,
      type: 'image/jpeg',
      bytes: String(put.bytes),
      width: 64,
      height: 48,
      frames: 1,
      captured_local: null,
      captured_at: null,
      crc32c: put.crc32c,
      content_type: 'image/jpeg',
      metadata: { album: 'Alps' },
      uploaded_at: put.createdAt,
      sorted_at: put.createdAt,
    });
    const folder = outcome.result?.['previews'] as string[];
    expect(folder.map((one) => one.replace(/^.*\//, '')).sort()).toEqual([
      '32.png',
      '32.webp',
      'thumbnail.jpg',
    ]);
    expect(folder[0]).toMatch(
      new RegExp(`^previews/photos/alice/[0-9a-f]{32}/${put.generation}-[0-9a-f]{16}/`),
    );
    expect((await ours()).sort()).toEqual([...folder].sort());
    expect(outcome.summary).toMatchObject({ previews: 3, previewsDeleted: 0 });
    expect(outcome.changes).toContainEqual(expect.objectContaining({ action: 'create', kind: 'media' }));
  });

  it('has previews that browsers keep, which say what they are of', async () => {
    const route = { ...routes.users, cacheControl: 'public, max-age=60' };
    const put = await world.put(name, await image());

    await world.deliver(finalized(put), { route });

    for (const preview of await namesOf()) {
      const answer = await fetch(
        `http://${world.storage.host}/storage/v1/b/${bucket}/o/${encodeURIComponent(preview)}`,
      );
      expect(await answer.json()).toMatchObject({
        cacheControl: 'public, max-age=60',
        contentType: expect.stringMatching(/^image\//),
        metadata: { 'drover-source': name, 'drover-generation': put.generation },
      });
    }
  });

  it('of nobody is everybody’s', async () => {
    const put = await world.put(`catalogue/${count}.png`, await image('png'));

    await world.deliver(finalized(put));

    expect(await world.rows(put.name)).toMatchObject([{ user_id: null, type: 'image/png' }]);
  });

  it('meets none that differs in no more than what follows the dot', async () => {
    const one = await world.put(name, await image());
    const other = await world.put(name.replace('.jpg', '.heic'), await image());

    await world.deliver(finalized(one));
    await world.deliver(finalized(other));
    await world.remove(other.name);
    await world.deliver(deleted(other));

    expect(await world.rows(other.name)).toEqual([]);
    expect((await ours()).sort()).toEqual((await namesOf()).sort());
    expect(await ours()).toHaveLength(3);
  });

  it('costs one look, one read, an upload each, and one more look under the lock', async () => {
    const put = await world.put(name, await image());
    const calls: string[] = [];
    world.storage.intercept = ({ method, phase, request }) => {
      if (phase === 'before') calls.push(`${method}${request['alt'] === 'media' ? ' media' : ''}`);
    };

    await world.deliver(finalized(put));

    expect(calls.sort()).toEqual([
      'objects.get',
      'objects.get',
      'objects.get media',
      ...Array(3).fill('objects.insert'),
    ]);
  });

  it('comes again, and nothing is done', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    const [before] = await world.rows(name);
    const inserts: string[] = [];
    world.storage.intercept = ({ method }) => void (method === 'objects.insert' && inserts.push(method));

    const outcome = await world.deliver(finalized(put));

    expect(outcome).toMatchObject({ changes: [], notes: [{ code: 'UNCHANGED' }] });
    expect(inserts).toEqual([]);
    expect(await world.rows(name)).toEqual([before]);
  });

  it('comes many times at once, and there is one row with its previews', async () => {
    const put = await world.put(name, await image());

    await Promise.all(Array.from({ length: 6 }, () => world.deliver(finalized(put))));

    expect(await world.rows(name)).toHaveLength(1);
    expect((await ours()).sort()).toEqual((await namesOf()).sort());
  });

  it('comes again where a preview was lost, and gets it back', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    const [lost = ''] = await namesOf();
    await world.remove(lost);

    await world.deliver(finalized(put));

    expect(await ours()).toContain(lost);
  });

  it('comes again where its route has other previews, and has those', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    const [before] = await world.rows(name);
    const route = {
      ...routes.users,
      previews: [{ name: 'small', width: 20, formats: ['png' as const], quality: 80 }],
    };

    const outcome = await later(() => world.deliver(finalized(put), { route }));

    expect(outcome.summary).toMatchObject({ previews: 1, previewsDeleted: 3 });
    const [after] = await world.rows(name);
    expect(after).toMatchObject({ id: before?.id, created_at: before?.['created_at'] });
    expect(await ours()).toEqual(await namesOf());
    expect(await ours()).toEqual([expect.stringMatching(/small\.png$/)]);
  });

  it('has all that its row names, though two revisions are at work at it, whose routes have other previews', async () => {
    const put = await world.put(name, await image());
    const other = {
      ...routes.users,
      previews: [{ name: 'small', width: 20, formats: ['png' as const], quality: 80 }],
    };
    const stored = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    world.storage.intercept = async ({ method, phase, request }) => {
      if (method !== 'objects.insert' || phase !== 'after') return;
      if (!String(request['name']).endsWith('thumbnail.jpg')) return;
      stored.resolve();
      await goOn.promise;
    };

    const older = world.deliver(finalized(put));
    await stored.promise;
    await world.deliver(finalized(put), { route: other });
    // Now it finds a row, and previews that it doesn't name.
    await world.deliver(finalized(put), { route: other });
    goOn.resolve();
    await older;

    expect(await namesOf()).toHaveLength(3);
    expect(await ours()).toEqual(expect.arrayContaining(await namesOf()));
    await world.remove(name);
    await world.deliver(deleted(put));
    expect(await ours()).toEqual([]);
  });
});

describe('generations', () => {
  it('replace each other, and the row keeps its id', async () => {
    await world.deliver(finalized(await world.put(name, await image())));
    const [before] = await world.rows(name);
    const second = await world.put(name, await image('png', 30, 20));

    const outcome = await world.deliver(finalized(second));

    const [after] = await world.rows(name);
    expect(after).toMatchObject({
      id: before?.id,
      created_at: before?.['created_at'],
      generation: second.generation,
      type: 'image/png',
      width: 30,
    });
    expect((await ours()).sort()).toEqual((await namesOf()).sort());
    expect(outcome.summary).toMatchObject({ previewsDeleted: 3 });
  });

  it('in the wrong order: the newer one wins', async () => {
    const first = await world.put(name, await image());
    const second = await world.put(name, await image());

    await world.deliver(finalized(second));
    const outcome = await world.deliver(finalized(first));

    expect(outcome).toMatchObject({ changes: [], notes: [{ code: 'SUPERSEDED' }] });
    expect(await world.rows(name)).toMatchObject([{ generation: second.generation }]);
    expect((await ours()).sort()).toEqual((await namesOf()).sort());
  });

  it('that were overtaken leave the row of one before to the next', async () => {
    const first = await world.put(name, await image());
    await world.deliver(finalized(first));
    await world.put(name, await image());

    const again = await world.deliver(finalized(first));

    expect(again.notes).toMatchObject([{ code: 'SUPERSEDED' }]);
    expect(await world.rows(name)).toMatchObject([{ generation: first.generation }]);
    expect((await ours()).sort()).toEqual((await namesOf()).sort());
  });

  it('are told apart where they are too large for a number, and where a later one has a smaller number', async () => {
    const put = await world.put(name, await image());
    await world.deliver(finalized(put));
    await world.query('UPDATE media.media SET generation = 9223372036854775807 WHERE object = $1', [name]);

    await world.deliver(finalized(put));

    expect(await world.rows(name)).toMatchObject([{ generation: put.generation }]);
  });

  it('replaced before it is read: the newer one has the row', async () => {
    const first = await world.put(name, await image());
    const content = await image();
    let second = first;
    world.storage.intercept = async ({ phase, request }) => {
      if (phase !== 'before' || request['alt'] !== 'media') return;
      world.storage.intercept = undefined;
      second = await world.put(name, content);
    };

    const outcome = await world.deliver(finalized(first));
    expect(outcome.notes).toMatchObject([{ code: 'SUPERSEDED' }]);
    expect(await world.rows(name)).toEqual([]);
    expect(await ours()).toEqual([]);

    await world.deliver(finalized(second));
    expect(await world.rows(name)).toMatchObject([{ generation: second.generation }]);
  });

  it.each([
    ['replaced', 'SUPERSEDED'],
    ['deleted', 'GONE'],
  ])('%s while previews are written: nothing of it is left', async (how, code) => {
    const first = await world.put(name, await image());
    const content = await image();
    world.storage.intercept = async ({ method, phase }) => {
      if (method !== 'objects.insert' || phase !== 'after') return;
      world.storage.intercept = undefined;
      if (how === 'replaced') await world.put(name, content);
      else await world.remove(name);
    };

    const outcome = await world.deliver(finalized(first));

    expect(outcome.notes).toMatchObject([{ code }]);
    expect(await world.rows(name)).toEqual([]);
    expect(await ours()).toEqual([]);
  });
});
