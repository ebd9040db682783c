import { describe, expect, it } from 'vitest';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { cameraExif, photograph } from '../support/photos.ts';
import { uploads } from '../support/stack.ts';
import { expectShown } from './media.ts';
import { operationIdOf, useObjects } from './objects.ts';
import { tarball } from './repositories.ts';

const cloud = useObjects();

const noted = (code: string) => ({ state: 'succeeded', changes: [], notes: [{ code }] });

/** How often a function was told of a message, by what it logs of each. */
const resultsOf = (operationId: string) =>
  cloud.stack.results.get(operationDocumentId('ingest-object', { operationId, dryRun: false })) ?? [];

describe('an object that no route covers', () => {
  it('is recorded as ignored, with the reason, once', async () => {
    const generation = await cloud.put('letters/a.txt', 'dear');
    const record = await cloud.ended('letters/a.txt', generation);
    expect(record).toMatchObject({
      ...noted('IGNORED'),
      notes: [{ message: expect.stringContaining(`gs://${uploads}/letters/a.txt`) }],
    });
    await Promise.all(Array.from({ length: 10 }, () => cloud.tell('letters/a.txt', generation)));
    await cloud.stack.pubsub?.idle();
    expect(resultsOf(operationIdOf('letters/a.txt', generation))).toHaveLength(1);
  });

  it('is ignored when it goes, too', async () => {
    await cloud.ingested('letters/b.txt', 'dear');
    expect(await cloud.deleted('letters/b.txt')).toMatchObject(noted('IGNORED'));
  });

  it('that is a folder of a route is ignored as one', async () => {
    expect(await cloud.ingested('manifests/', '')).toMatchObject(noted('IGNORED'));
    expect(await cloud.ingested('photos/alice/original/2026/', '')).toMatchObject(noted('IGNORED'));
  });

  it('and that Drover writes itself is nobody’s event', async () => {
    const generation = await cloud.put('results/a.json', '{}');
    await cloud.stack.pubsub?.idle();
    const id = operationIdOf('results-a.json', generation);
    expect(await cloud.stack.record('ingest-object', id)).toBeUndefined();
  });
});

describe('a message that is no event', () => {
  it('is refused, with what is wrong, and kept', async () => {
    await cloud.stack.send(
      'ingest-object',
      { event: 'OBJECT_FINALIZE', bucket: 'B', extra: 1 },
      { id: 'none' },
    );
    const record = await cloud.stack.ended('ingest-object', 'none');
    expect(record).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: {
        code: 'INVALID_MESSAGE',
        details: { problems: expect.arrayContaining([expect.objectContaining({ path: 'data.bucket' })]) },
      },
    });
    expect(record.payload?.data?.toString()).toContain('extra');
  });

  it('of rubbish is refused as well', async () => {
    await cloud.stack.send('ingest-object', Buffer.from([0xff, 0x00]), { id: 'rubbish' });
    expect(await cloud.stack.ended('ingest-object', 'rubbish')).toMatchObject({
      error: { code: 'INVALID_MESSAGE' },
    });
  });
});

describe('an archive of a repository', () => {
  it('becomes a sync of just this generation', async () => {
    const files = { 'a.md': '# A\n' };
    const object = 'repositories/acme/uploaded.tar.gz';
    const generation = await cloud.put(object, await tarball(files));
    const { result } = await cloud.ended(object, generation);
    const { sync } = result as { sync: { operationId: string } };
    expect(sync).toMatchObject({ function: 'sync-repo-metadata', repository: 'acme/uploaded' });
    expect(await cloud.stack.ended('sync-repo-metadata', sync.operationId)).toMatchObject({
      state: 'succeeded',
      target: expect.stringContaining('/app'),
      summary: { documents: 1, added: 1 },
    });
    expect(await cloud.query('SELECT title FROM uploaded.documents')).toEqual([{ title: 'A' }]);
  });

  it('that is gone, or another by now, asks for nothing', async () => {
    const object = 'repositories/late.tar.gz';
    const first = await cloud.put(object, await tarball({ 'a.md': '# 1\n' }));
    await cloud.ended(object, first);
    await cloud.stack.send(
      'ingest-object',
      { event: 'OBJECT_FINALIZE', bucket: uploads, object, generation: '1' },
      { id: 'late' },
    );
    expect(await cloud.stack.ended('ingest-object', 'late')).toMatchObject(noted('SUPERSEDED'));
    expect(await cloud.deleted(object)).toMatchObject(noted('IGNORED'));
    await cloud.stack.send(
      'ingest-object',
      { event: 'OBJECT_FINALIZE', bucket: uploads, object, generation: first },
      { id: 'gone' },
    );
    expect(await cloud.stack.ended('ingest-object', 'gone')).toMatchObject(noted('GONE'));
  });

  it('whose name is no repository’s fails for good: the event among the dead letters, a tag on the object', async () => {
    const object = 'repositories/a/b/c/d.zip';
    const generation = await cloud.put(object, 'anything');
    const record = await cloud.ended(object, generation);
    expect(record).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code: 'NOT_A_REPOSITORY', message: expect.stringContaining('repository') },
    });
    const operationId = operationIdOf(object, generation);
    const id = operationDocumentId('ingest-object', { operationId, dryRun: false });
    expect(await cloud.tagsOf(object)).toEqual({
      'drover-state': 'failed',
      'drover-error': 'NOT_A_REPOSITORY',
      'drover-operation': id,
    });
    await cloud.stack.pubsub?.idle();
    expect(await cloud.stack.record('ingest-object', operationId)).toMatchObject({
      state: 'failed',
      deadLettered: true,
      error: { code: 'NOT_A_REPOSITORY' },
    });
    expect(resultsOf(operationId)).toHaveLength(1);

    // Replayed, it is tried again.
    const { topic, data, attributes } = await reopenOperation(cloud.stack.db, id);
    await cloud.stack.messaging.topic(topic).publishMessage({ data, attributes });
    await cloud.stack.pubsub?.idle();
    expect(await cloud.stack.record('ingest-object', operationId)).toMatchObject({
      state: 'failed',
      epoch: 2,
      deadLettered: true,
    });
    expect(await cloud.exists(object)).toBe(true);
  });
});

describe('a photograph', () => {
  const picture = (seed: number) => {
    const exif = cameraExif({ at: '2026:03:29 01:30:00', offset: '+01:00' });
    return photograph({ width: 160, height: 120, seed, format: 'jpeg', exif });
  };

  it('has a row and previews, which go when it goes', async () => {
    const object = 'photos/alice/original/a.jpg';
    const generation = await cloud.put(object, await picture(1));
    const record = await cloud.ended(object, generation);
    expect(record).toMatchObject({
      state: 'succeeded',
      summary: { previews: 7 },
      result: { type: 'image/jpeg', width: 160, takenAt: '2026-03-29T01:30:00+01:00' },
    });
    const [row] = await expectShown(cloud, 'alice', { [object]: generation });
    expect(row).toMatchObject({ camera_model: 'Field Camera', captured_offset_minutes: 60 });

    await cloud.deleted(object);

    await expectShown(cloud, 'alice', {});
  });

  it('that is replaced before it is told of is never shown', async () => {
    const object = 'photos/bob/original/a.jpg';
    const told = cloud.holdEvent(object);
    const older = await cloud.put(object, await picture(2));
    await told.met;
    const newer = await cloud.put(object, await picture(3));
    await cloud.ended(object, newer);
    told.letGo();

    expect(await cloud.ended(object, older)).toMatchObject(noted('SUPERSEDED'));
    await cloud.idle();
    await expectShown(cloud, 'bob', { [object]: newer });
  });

  it('in whose place something else is uploaded is shown no more, and that is tagged', async () => {
    const object = 'photos/carol/original/a.jpg';
    await cloud.done(object, await picture(4));

    await cloud.refused(object, 'dear', 'NOT_AN_IMAGE');

    await cloud.idle();
    await expectShown(cloud, 'carol', {});
    expect(await cloud.tagsOf(object)).toMatchObject({ 'drover-error': 'NOT_AN_IMAGE' });
  });
});
