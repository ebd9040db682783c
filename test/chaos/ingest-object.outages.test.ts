import { beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../local/http/api-error.ts';
import { expectShown } from '../e2e/media.ts';
import { operationIdOf } from '../e2e/objects.ts';
import { type Deed, learned, observe, picture, present, success, useObjectsChaos } from './objects.ts';
import { hold, nameOf, type Point } from './points.ts';

const shutdownSeconds = 3;

const cloud = useObjectsChaos({ environment: { DROVER_SHUTDOWN_SECONDS: String(shutdownSeconds) } });

/** Whatever happens once in a process has happened. */
beforeAll(async () => {
  await present(cloud, 'first');
});

let users = 0;

/** A user's image is about to be replaced by another one. */
async function replacement() {
  users += 1;
  const user = `user${users}`;
  const { object } = await present(cloud, user);
  const content = await picture();
  const act = () => cloud.put(object, content);
  const deed: Deed = { object, event: 'OBJECT_FINALIZE', act, isAlone: true };
  return { user, deed };
}

const recordOf = ({ object }: Deed, generation: string) =>
  cloud.stack.record('ingest-object', operationIdOf(object, generation));

describe('PostgreSQL', () => {
  const moments = [
    ['before the row is read', 'before PostgreSQL: BEGIN'],
    ['while previews are written', 'before Storage: objects.insert'],
    ['in the transaction that writes the row', 'before Storage: objects.get (3)'],
    ['before that is committed', 'before PostgreSQL: COMMIT (2)'],
    ['when that is committed', 'after PostgreSQL: COMMIT (2)'],
  ] as const;

  it.each(
    moments.flatMap(([when, at]) => (['fast', 'immediate'] as const).map((mode) => ({ when, at, mode }))),
  )('stops $when and comes back ($mode): the image is shown', async ({ at, mode }) => {
    const { stack } = cloud;
    const { user, deed } = await replacement();
    let isMet = false;

    const generation = await observe(cloud, deed, async (point) => {
      if (isMet || nameOf(point) !== at) return;
      isMet = true;
      await stack.cluster.stop(mode);
      await stack.cluster.start();
    });

    expect(isMet).toBe(true);
    await expectShown(cloud, user, { [deed.object]: generation });
    expect(await learned(cloud, deed, generation)).toEqual(success);
    expect(stack.worker.starts(), 'the function survived').toBe(1);
  });
});

/** Has Cloud Storage be away from a point on, until an attempt was given up. */
function away(from: string) {
  let state: 'there' | 'away' | 'back' = 'there';
  return {
    watcher(point: Point) {
      if (point.call === 'Pub/Sub: push' && point.phase === 'after' && Number(point.answer) >= 300)
        state = 'back';
      if (nameOf(point) === from && state === 'there') state = 'away';
      if (state === 'away' && point.call.startsWith('Storage: ') && point.phase === 'before')
        throw new ApiError(503, 'backendError', 'Service Unavailable');
    },
    isBack: () => state === 'back',
  };
}

describe('Cloud Storage', () => {
  it.each([
    ['whether it is live', 'objects.get'],
    ['its content', 'objects.get (2)'],
    ['to write a preview', 'objects.insert'],
    ['to write another', 'objects.insert (2)'],
    ['once more whether it is live', 'objects.get (3)'],
    ['which previews there are', 'objects.list'],
    ['to delete one', 'objects.delete'],
    ['whether it is tagged', 'objects.get (5)'],
  ])('is away when an image’s operation asks it %s, and comes back: the image is shown', async (_, call) => {
    const { user, deed } = await replacement();
    const outage = away(`before Storage: ${call}`);

    const generation = await observe(cloud, deed, outage.watcher);

    expect(outage.isBack()).toBe(true);
    await expectShown(cloud, user, { [deed.object]: generation });
    expect(await learned(cloud, deed, generation)).toEqual(success);
    expect((await recordOf(deed, generation))?.epoch).toBe(2);
    expect(cloud.stack.worker.starts(), 'the function survived').toBe(1);
  });

  it.each(['objects.get (3)', 'objects.list', 'objects.delete', 'objects.patch'])(
    'is away when what is no image is dealt with (%s), and comes back: it is tagged, and not shown',
    async (call) => {
      const { user, deed } = await replacement();
      const outage = away(`before Storage: ${call}`);

      const generation = await observe(
        cloud,
        { ...deed, act: () => cloud.put(deed.object, 'dear') },
        outage.watcher,
      );

      expect(outage.isBack()).toBe(true);
      await expectShown(cloud, user, {});
      expect(await learned(cloud, deed, generation)).toEqual({
        state: 'failed',
        code: 'NOT_AN_IMAGE',
        reported: true,
        events: ['failed'],
      });
      expect(await cloud.tagsOf(deed.object)).toMatchObject({ 'drover-error': 'NOT_AN_IMAGE' });
      expect(await recordOf(deed, generation)).toMatchObject({ deadLettered: true, epoch: 2 });
    },
  );
});

describe('a function that is told to stop in the middle of an image', () => {
  const begin = async () => {
    const { user, deed } = await replacement();
    const held = hold(cloud.stack, 'Storage: objects.get', 'before');
    const shown = observe(cloud, deed, () => undefined);
    await held.met;
    held.letGo();
    const upload = hold(cloud.stack, 'Storage: objects.insert', 'before');
    await upload.met;
    const { worker } = cloud.stack;
    const [exited, restarted] = [worker.exited(), worker.restarted()];
    return {
      user,
      deed,
      upload,
      shown,
      exited,
      restarted,
      stop: () => process.kill(worker.pid(), 'SIGTERM'),
    };
  };

  it('finishes it, where there is time', async () => {
    const { user, deed, upload, shown, exited, restarted, stop } = await begin();

    stop();
    upload.letGo();

    expect(await exited).toBe(0);
    const generation = await shown;
    await restarted;
    await expectShown(cloud, user, { [deed.object]: generation });
    expect(await learned(cloud, deed, generation)).toEqual(success);
    expect((await recordOf(deed, generation))?.epoch).toBe(1);
  });

  it('hands it back, where there is none', async () => {
    const { user, deed, upload, shown, exited, restarted, stop } = await begin();
    const released = hold(cloud.stack, 'Firestore: release', 'after');

    stop();
    await released.met;
    released.letGo();

    expect(await exited).toBe(0);
    await restarted;
    const generation = await shown;
    // What the process asked for that is no more may still be done.
    upload.letGo();
    await cloud.idle();
    await expectShown(cloud, user, { [deed.object]: generation });
    expect(await learned(cloud, deed, generation)).toEqual(success);
    expect((await recordOf(deed, generation))?.epoch).toBe(2);
  });
});
