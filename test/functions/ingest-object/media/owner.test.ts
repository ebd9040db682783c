import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { patience } from '../../../../functions/ingest-object/media/patience.ts';
import { bucket, failureOf, finalized, image, mediaRoute, target, useWorld } from './world.ts';

const world = useWorld();

let count = 0;
let schema: string;
let route: ReturnType<typeof mediaRoute>;
beforeEach(() => {
  count += 1;
  schema = `photos_${count}`;
  route = mediaRoute({ bucket, objects: 'photos/{user}/original/**', target, schema });
});

const upload = async (user = 'alice', file = 'a.jpg') =>
  finalized(await world.put(`photos/${user}/original/${count}-${file}`, await image()));
const usersOf = async () =>
  (await world.query(`SELECT user_id FROM ${schema}.media ORDER BY 1`)).map((row) => row['user_id']);

describe('code that a schema’s owner put on the table', () => {
  const trigger = (body: string) => [
    `CREATE FUNCTION ${schema}.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NEW; END $$`,
    `ALTER FUNCTION ${schema}.spy() OWNER TO app__${schema}__owner`,
    `CREATE TRIGGER spy BEFORE INSERT ON ${schema}.media FOR EACH ROW EXECUTE FUNCTION ${schema}.spy()`,
  ];

  it.each(['drover_admin', 'drover_admin_07', 'drover_writers'])('can’t become %s', async (role) => {
    await world.deliver(await upload(), { route });
    for (const statement of trigger(`RESET ROLE; SET ROLE ${role};`)) await world.query(statement);

    const error = await failureOf(world.deliver(await upload('bob'), { route }));

    expect(error).toMatchObject({ retryable: false });
    expect(error.message).toMatch(/permission denied to set role|cannot set parameter "role"/);
  });

  it('that refuses a row has no previews left of it when the object is gone', async () => {
    await world.deliver(await upload(), { route });
    for (const statement of trigger("RAISE EXCEPTION 'no more';")) await world.query(statement);
    const before = (await world.previews()).sort();

    const event = await upload('bob');
    const error = await failureOf(world.deliver(event, { route }));

    expect(error).toMatchObject({ code: 'DATABASE_ERROR', retryable: false });
    await world.remove(event.object);
    await world.deliver({ ...event, event: 'OBJECT_DELETE' }, { route });
    expect((await world.previews()).sort()).toEqual(before);
  });

  it('that says that there is no table has an image read and decoded once', async () => {
    await world.deliver(await upload(), { route });
    for (const statement of trigger("RAISE EXCEPTION 'gone' USING ERRCODE = '42P01';"))
      await world.query(statement);
    let reads = 0;
    world.storage.intercept = ({ phase, request }) => {
      if (phase === 'before' && request['alt'] === 'media') reads += 1;
    };

    const error = await failureOf(world.deliver(await upload('bob'), { route }));

    expect(error).toMatchObject({ details: { sqlstate: '42P01' }, retryable: false });
    expect(reads).toBe(1);
  });

  it('that wants something unique is not tried again', async () => {
    await world.deliver(await upload(), { route });
    await world.query(`CREATE UNIQUE INDEX ON ${schema}.media (type)`);

    const error = await failureOf(world.deliver(await upload('bob'), { route }));

    expect(error).toMatchObject({
      code: 'DATABASE_ERROR',
      retryable: false,
      details: { sqlstate: '23505' },
    });
    expect(await usersOf()).toEqual(['alice']);
  });
});

describe('a policy that a schema’s owner made', () => {
  const usual = { ...patience };
  afterEach(() => {
    Object.assign(patience, usual);
  });
  /** It is called to plan whatever statement. */
  const policy = async (body: string) => {
    const statements = [
      `CREATE FUNCTION ${schema}.slow() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN true; END $$`,
      `ALTER FUNCTION ${schema}.slow() OWNER TO app__${schema}__owner`,
      `CREATE POLICY slow ON ${schema}.media AS RESTRICTIVE USING (${schema}.slow())`,
      `ALTER TABLE ${schema}.media FORCE ROW LEVEL SECURITY`,
    ];
    for (const statement of statements) await world.query(statement);
  };
  const sleeps = 'PERFORM pg_catalog.pg_sleep(3600);';
  const sleeping = () =>
    world.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename ~ '^media_'");

  it('and that never ends keeps nobody else waiting', async () => {
    Object.assign(patience, { statementMs: 30_000, wholeMs: 30_000 });
    await world.deliver(await upload(), { route });
    await policy(sleeps);
    // More than there is room for at a time.
    const events = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((user) => upload(user)));
    const slow = events.map((event) => failureOf(world.deliver(event, { route })));
    while ((await sleeping()).length < slow.length);

    const other = { ...route, schema: `${schema}_other` };
    await world.deliver(await upload('bob'), { route: other });

    expect(await world.query(`SELECT user_id FROM ${schema}_other.media`)).toEqual([{ user_id: 'bob' }]);
    await world.query(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename ~ '^media_'",
    );
    for (const error of await Promise.all(slow))
      expect(error).toMatchObject({ code: 'TABLE_TOO_SLOW', retryable: true });
  });

  it('is given up where it is too slow again and again', async () => {
    Object.assign(patience, { statementMs: 100, wholeMs: 20_000 });
    await world.deliver(await upload(), { route });
    await policy(sleeps);
    const event = await upload('bob');

    const errors = [];
    for (let attempt = 1; attempt <= patience.attempts; attempt += 1)
      errors.push(await failureOf(world.deliver(event, { route, id: `slow-${count}` })));

    expect(errors.map(({ code }) => code)).toEqual(Array(patience.attempts).fill('TABLE_TOO_SLOW'));
    expect(errors.map(({ retryable }) => retryable)).toEqual([
      ...Array(patience.attempts - 1).fill(true),
      false,
    ]);
  });

  it('is broken off where it won’t be cancelled', async () => {
    Object.assign(patience, { statementMs: 100, wholeMs: 1000 });
    await world.deliver(await upload(), { route });
    await policy(`BEGIN ${sleeps} EXCEPTION WHEN query_canceled THEN ${sleeps} END;`);

    const error = await failureOf(world.deliver(await upload('bob'), { route }));

    expect(error).toMatchObject({ code: 'TABLE_TOO_SLOW', retryable: true });
  });
});

describe('a row that a schema’s owner changed', () => {
  const name = () => `photos/alice/original/${count}-a.jpg`;
  const change = (previews: string) =>
    world.query(`UPDATE ${schema}.media SET previews = ${previews} WHERE object = $1`, [name()]);
  const namedBy = async () => {
    const rows = await world.query(`SELECT previews FROM ${schema}.media WHERE object = $1`, [name()]);
    return rows.flatMap((row) => row['previews']);
  };
  const changes = [
    ['is no list of previews', `'{}'`],
    ['has something else among its previews', `previews || '[7]'`],
    ['has no names of its previews', `'[{}]'`],
    [
      'is very long',
      `(SELECT jsonb_agg(one) FROM jsonb_array_elements(previews) one, generate_series(1, 1000))`,
    ],
  ] as const;

  it.each(changes)('and that %s is written anew', async (_, previews) => {
    const event = await upload();
    await world.deliver(event, { route });
    const before = await namedBy();
    await change(previews);

    const outcome = await world.deliver(event, { route });

    expect(outcome.changes).toContainEqual(expect.objectContaining({ action: 'alter', kind: 'media' }));
    expect(await namedBy()).toEqual(before);
  });

  it.each(changes)('and that %s goes with its object', async (_, previews) => {
    const event = await upload();
    await world.deliver(event, { route });
    await change(previews);
    await world.remove(event.object);

    const outcome = await world.deliver({ ...event, event: 'OBJECT_DELETE' }, { route });

    expect(outcome.changes).toMatchObject([{ kind: 'media' }, { kind: 'previews' }]);
    expect(await usersOf()).toEqual([]);
  });
});
