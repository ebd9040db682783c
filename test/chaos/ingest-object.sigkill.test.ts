import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectShown, type Where } from '../e2e/media.ts';
import { membersOf } from '../e2e/members.ts';
import { secretsOf, type TestSecrets } from '../support/secrets.ts';
import { target, uploads } from '../support/stack.ts';
import {
  type Deed,
  derived,
  expectNothingMissing,
  firstImage,
  killAt,
  learned,
  picture,
  pointsOf,
  present,
  success,
  useObjectsChaos,
  worthwhile,
} from './objects.ts';
import { nameOf, type Point, type ShownPoint } from './points.ts';

// What was not sent, as far as is known, is sent again after a lease.
const cloud = useObjectsChaos({ environment: { DROVER_LEASE_SECONDS: '5' } });

/** Something that happens to an image, and what is to be true of it then. */
interface Prepared {
  readonly deed: Deed;
  readonly user: string;
  readonly where?: Where;
  /** Whether it is shown. */
  readonly isShown: boolean;
  readonly outcome: object;
}

interface Scenario {
  readonly prepare: (nth: number) => Promise<Prepared>;
  /** At so many points the function is killed, or more. */
  readonly least: number;
}

const failure = { state: 'failed', code: 'NOT_AN_IMAGE', reported: true, events: ['failed'] };

const scenarios: Readonly<Record<string, Scenario>> = {
  'the first image of a table that isn’t there': {
    least: 25,
    async prepare(nth) {
      const { user, object, where } = firstImage(nth);
      const content = await picture();
      const act = () => cloud.put(object, content);
      const deed: Deed = { object, event: 'OBJECT_FINALIZE', act, isAlone: true };
      return { deed, user, where, isShown: true, outcome: success };
    },
  },
  'an image in the place of another': {
    least: 20,
    async prepare(nth) {
      const user = `replaced${nth}`;
      const { object } = await present(cloud, user);
      const content = await picture();
      const act = () => cloud.put(object, content);
      const deed: Deed = { object, event: 'OBJECT_FINALIZE', act, isAlone: true };
      return { deed, user, isShown: true, outcome: success };
    },
  },
  'what is no image in the place of one': {
    least: 20,
    async prepare(nth) {
      const user = `spoilt${nth}`;
      const { object } = await present(cloud, user);
      const act = () => cloud.put(object, 'dear');
      const deed: Deed = { object, event: 'OBJECT_FINALIZE', act, isAlone: true };
      return { deed, user, isShown: false, outcome: failure };
    },
  },
  'an image that is deleted': {
    least: 15,
    async prepare(nth) {
      const user = `deleted${nth}`;
      const { object, generation } = await present(cloud, user);
      const act = async () => {
        await cloud.storage.bucket(uploads).file(object).delete();
        return generation;
      };
      const deed: Deed = { object, event: 'OBJECT_DELETE', act, isAlone: true };
      return { deed, user, isShown: false, outcome: success };
    },
  },
};

describe.each(Object.entries(scenarios))('a SIGKILL at any call about %s', (_, { prepare, least }) => {
  it('leaves what a process leaves that nothing disturbs', async () => {
    // Whatever happens once in a database has happened.
    await pointsOf(cloud, (await prepare(0)).deed);
    const points = worthwhile(await pointsOf(cloud, (await prepare(1)).deed));
    expect(points.length).toBeGreaterThanOrEqual(least);
    for (const [index, point] of points.entries()) {
      const { deed, user, where, isShown, outcome } = await prepare(index + 2);
      const what = `${nameOf(point)}: ${deed.object}`;

      const generation = await killAt(cloud, deed, nameOf(point), () =>
        expectNothingMissing(cloud, user, { ...where, what }),
      );

      const shown = isShown ? { [deed.object]: generation } : {};
      await expectShown(cloud, user, shown, { ...where, what });
      expect.soft(await learned(cloud, deed, generation), what).toEqual(outcome);
    }
  }, 600_000);
});

describe('a SIGKILL at any call about a manifest', () => {
  let secrets: TestSecrets;
  beforeAll(async () => {
    secrets = secretsOf(cloud.stack);
    await cloud.query('CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN');
  });
  afterAll(() => secrets?.close());

  const grant = (principal: string, level: string) => ({ principal, kind: 'login', level });

  function manifest(nth: number): Deed & { readonly schema: string } {
    const schema = `made_${nth}`;
    const object = `manifests/${schema}.yaml`;
    const text = JSON.stringify({
      version: 1,
      database: target('app'),
      schemas: { [schema]: { grants: [grant('alice', 'reader'), grant('bob', 'writer')] } },
      secrets: { [`app-made-${nth}`]: { kind: 'postgres', schema, level: 'reader' } },
    });
    const act = () => cloud.put(object, text);
    return { schema, object, event: 'OBJECT_FINALIZE', act, isOf: isOfManifest, isAlone: false };
  }

  /** Other functions are at work meanwhile; what can't be told from theirs is left out. */
  function isOfManifest({ call, about }: ShownPoint, operation: string): boolean {
    if (call === 'Pub/Sub: publish') return about.includes('ingest-object');
    if (call.startsWith('Pub/Sub: ')) return derived.some((name) => about.startsWith(`${name} `));
    if (call.startsWith('Storage: ')) return !/insert|delete/.test(call) || about.includes('results/');
    if (call.startsWith('PostgreSQL: ')) return about.includes('json_object_agg(nspname');
    return call.includes('manifest') || about.includes(operation) || about.includes('/manifest');
  }

  const counts = { changed: 3, unchanged: 0, failed: 0, skipped: 0 };

  /** How often it looks whether others have ended depends on their speed. */
  const isCertain = ({ call, nth }: Point) => nth <= 3 || !call.startsWith('Firestore: read manifests');

  /** Operations of other functions, and how each of them went. */
  async function operations(): Promise<Map<string, object>> {
    const found = cloud.stack.db.collection('operations').where('function', 'in', derived);
    return new Map(
      (await found.get()).docs.map((one) => {
        const [name, state, epoch] = ['function', 'state', 'epoch'].map((field) => one.get(field) as unknown);
        const events = new Set(cloud.stack.results.get(one.id)?.map(({ id }) => id));
        return [one.id, { name, state, epoch, events: events.size }] as const;
      }),
    );
  }

  it('has everything made as it says, once', async () => {
    await pointsOf(cloud, manifest(0));
    const points = worthwhile((await pointsOf(cloud, manifest(1))).filter(isCertain));
    expect(points.length).toBeGreaterThanOrEqual(20);
    for (const [index, point] of points.entries()) {
      const nth = index + 2;
      const deed = manifest(nth);
      const what = `${nameOf(point)}: ${deed.object}`;
      const before = await operations();

      const generation = await killAt(cloud, deed, nameOf(point));

      expect.soft(await learned(cloud, deed, generation), what).toEqual(success);
      const { summary } = await cloud.ended(deed.object, generation);
      expect.soft(summary, what).toEqual(counts);
      const asked = [...(await operations())].filter(([id]) => !before.has(id)).map(([, one]) => one);
      const once = { state: 'succeeded', epoch: 1, events: 1 };
      expect.soft(new Set(asked), what).toEqual(new Set(derived.map((name) => ({ name, ...once }))));
      expect.soft(asked.length, what).toBe(3);
      const members = await membersOf(cloud.stack, 'app', deed.schema);
      expect.soft(members, what).toEqual(expect.arrayContaining(['reader alice', 'writer bob']));
      expect.soft(await secrets.versions(`app-made-${nth}`), what).toHaveLength(1);
      const results = await cloud.list(`results/manifests/${deed.schema}/`);
      expect.soft(results, what).toEqual([`results/manifests/${deed.schema}/${generation}.json`]);
      const registered = cloud.stack.db.collection('manifests').where('object', '==', deed.object);
      const [record] = (await registered.get()).docs;
      expect.soft(record?.data(), what).toMatchObject({ state: 'applied', settled: true, counts });
    }
  }, 600_000);
});
