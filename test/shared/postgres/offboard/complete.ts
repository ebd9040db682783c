import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { connected, type PreparedCluster, run } from '../../../support/postgres.ts';
import {
  busy,
  contents,
  entangle,
  hire,
  inOrder,
  logIn,
  obey,
  offboard,
  pat,
  settle,
  snapshot,
  without,
  withoutOurs,
} from './world.ts';

type Start = () => Promise<PreparedCluster>;

/**
 * Proves on one major version that a principal is taken out as far as it can be, in tests of the file that calls it.
 */
export function proveOffboarding(major: number, start: Start): void {
  describe(`on PostgreSQL ${major}`, () => {
    if (major < 16) {
      proveGone('drover', true, start);
      proveGone('api', true, start);
    } else {
      proveGone('drover', false, start);
      provePartial('drover', start);
      provePartial('api', start);
    }
  });
}

const makers = { drover: 'a login that Drover made', api: 'a login that the Admin API made' } as const;

/** A cluster with a principal that has and owns all there is. */
function arrange(maker: keyof typeof makers, entangled: boolean, start: Start): () => PreparedCluster {
  let cluster: PreparedCluster;
  beforeAll(async () => {
    cluster = await start();
    await settle(cluster);
    await hire(cluster, maker);
    await busy(cluster);
    if (entangled) await entangle(cluster);
  });
  afterAll(() => cluster.remove());
  return () => cluster;
}

function proveGone(maker: keyof typeof makers, entangled: boolean, start: Start): void {
  describe(`${makers[maker]}, with ${entangled ? 'rights that others granted' : 'no right that others granted'}`, () => {
    const world = arrange(maker, entangled, start);

    test('is gone, nothing is lost and nobody else has more or less', async () => {
      const cluster = world();
      const [before, made] = [await snapshot(cluster), await contents(cluster)];
      const sessions = await logIn(cluster);
      const planned = await offboard(cluster, { dryRun: true });
      expect(inOrder(await snapshot(cluster))).toEqual(inOrder(before));
      const members = await membersOf(cluster, 'seniors');

      const done = await offboard(cluster);

      expect(done.notes).toEqual([]);
      expect(done.remaining).toBe(false);
      expect(inOrder(await snapshot(cluster))).toEqual(inOrder(before, without));
      expect(await contents(cluster)).toEqual(made);
      for (const session of sessions) await expect(session.query('SELECT 1')).rejects.toThrow();
      expect(done.changes.filter(({ kind }) => kind === 'session').map(({ name }) => name)).toEqual([
        'app',
        'app',
        'app',
        'other',
      ]);
      // Before 16 PostgreSQL doesn't know whom a membership was passed on by.
      const passedOn = done.changes.some(({ name, detail }) => name === 'seniors' && detail === 'from dave');
      expect(await membersOf(cluster, 'seniors')).toEqual(
        members.filter((member) => member !== pat && !(passedOn && member === 'dave')),
      );
      // A dry run of the second database doesn't know what was taken in the first: it may say more.
      expect(planned.statements).toEqual(expect.arrayContaining(done.statements.concat()));
      expect(planned.changes).toEqual(expect.arrayContaining(done.changes.concat()));
      expect(planned.notes).toEqual([]);
    });

    test('is not missed by a second run, and its name can be used again', async () => {
      const cluster = world();

      expect(await offboard(cluster)).toMatchObject({
        changes: [],
        notes: [],
        statements: [],
        remaining: false,
      });

      await hire(cluster, maker);
      await run(cluster.url(pat, localPassword, 'app'), 'SELECT 1');
      const facts = Object.values(await snapshot(cluster)).flat();
      expect(facts.filter(({ area, who }) => who === pat && area !== 'membership')).toEqual([]);
      expect(await offboard(cluster)).toMatchObject({ notes: [], remaining: false });
    });

    test('leaves whom it passed things on to as somebody who can be taken out as well', async () => {
      const cluster = world();
      const seniors = (await membersOf(cluster, 'seniors')).includes('dave') ? ['seniors'] : [];

      const done = await offboard(cluster, { principal: 'dave' });

      expect(done.changes.filter(({ kind }) => kind === 'membership').map(({ name }) => name)).toEqual(
        seniors,
      );
      expect((await membersOf(cluster, 'seniors')).includes('dave')).toBe(false);
    });
  });
}

function provePartial(maker: keyof typeof makers, start: Start): void {
  describe(`${makers[maker]}, with rights that others granted`, () => {
    const world = arrange(maker, true, start);
    let first: Awaited<ReturnType<typeof offboard>>;
    let before: Awaited<ReturnType<typeof snapshot>>;
    let made: Awaited<ReturnType<typeof contents>>;

    test('loses what Drover may take, nothing is lost, and the notes say all the rest', async () => {
      const cluster = world();
      before = await snapshot(cluster);
      made = await contents(cluster);

      first = await offboard(cluster);

      expect(first.remaining).toBe(true);
      expect(await contents(cluster)).toEqual(made);
      const codes = new Set(first.notes.map(({ code }) => code));
      expect(codes).toEqual(new Set(['OFFBOARD_OUT_OF_REACH']));
      if (maker === 'drover') {
        await expect(run(cluster.url(pat, localPassword, 'app'))).rejects.toMatchObject({ code: '28000' });
      } else {
        expect(inOrder(await snapshot(cluster))).toEqual(inOrder(before, withoutOurs));
      }
      const said = first.notes.map(({ message }) => message).join('\n');
      for (const what of [
        'clerks',
        'bobs.notes, granted by bob',
        'bobs.notes, granted by carol',
        'CONNECT, CREATE',
      ]) {
        expect(said).toContain(what);
      }
    });

    test('has nothing new to lose in a second run, which says the same', async () => {
      const again = await offboard(world());
      expect(again.changes).toEqual([]);
      expect(again.statements).toEqual([]);
      expect(again.notes).toEqual(first.notes);
    });

    test('is gone once the statements of the notes were run, and a last run says that nothing is left', async () => {
      const cluster = world();

      await obey(cluster, first);

      expect(await offboard(cluster)).toMatchObject({
        changes: [],
        notes: [],
        statements: [],
        remaining: false,
      });
      // Where only the way was barred, it was opened.
      const opened = '"about":"schema public","schema":"public","who":"drover_admin"';
      const after = inOrder(await snapshot(cluster)).filter((fact) => !fact.includes(opened));
      expect(after).toEqual(inOrder(before, without));
      expect(await contents(cluster)).toEqual(made);
    });
  });
}

async function membersOf(cluster: PreparedCluster, role: string): Promise<string[]> {
  return connected(cluster.superuserUrl(), async (client) => {
    const { rows } = await client.query(
      `SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = member WHERE roleid = $1::regrole ORDER BY 1`,
      [role],
    );
    return rows.map(({ rolname }) => rolname);
  });
}
