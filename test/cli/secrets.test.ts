import { describe, expect, test } from 'vitest';
import { OperationError } from '../../shared/operation/errors.ts';
import { cells, droverHere, droverInCloud, facts, newId, receive, subscribe, useCloud } from './fixture.ts';
import { inDays, instance, secretsFunction, seed, shown, startSecretsWorker } from './secrets-fixture.ts';

const cloud = useCloud([secretsFunction]);
const secrets = (...args: string[]) => droverInCloud('secrets', ...args);

describe('drover secrets show', () => {
  test('shows versions, dates, what is under way and what came last', async () => {
    const [rotatedAt, due, retirement, since, at] = [-3, 26, 4, -0.1, -0.2].map(inDays) as [
      Date,
      Date,
      Date,
      Date,
      Date,
    ];
    await seed(cloud, {
      secret: 'shown',
      graceMinutes: 7 * 1440,
      rotatedAt,
      nextRotation: due,
      nextRetirement: retirement,
      open: { operation: 'c'.repeat(40), since },
      failures: 2,
      last: {
        at,
        action: 'rotate',
        operation: 'd'.repeat(40),
        code: 'LOGIN_IN_USE',
        actor: 'alice\u001b[2J',
        detail: "billing_b: PASSWORD 'hunter2'",
      },
    });
    const { code, stdout, stderr } = await secrets('show', 'shown');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(facts(stdout)).toEqual({
      '': '',
      shown: 'rotating',
      kind: 'postgres two-user',
      where: `${instance}/app.billing writer`,
      logins: 'billing_a, billing_b',
      current: `version 2, since ${shown(rotatedAt)} (3 d)`,
      previous: 'version 1',
      grace: `7d, until ${shown(retirement)}`,
      retirement: `due ${shown(retirement)}`,
      policy: 'every 30 d, up to 3 d earlier',
      'next rotation': shown(due),
      'under way': `since ${shown(since)}: drover operations ${'c'.repeat(40)}`,
      failures: '2 in a row',
      last: `rotate failed: LOGIN_IN_USE, at ${shown(at)} by alice\\x1b[2J (as claimed); billing_b: PASSWORD '[redacted]': drover operations ${'d'.repeat(40)}`,
    });
  });

  test('one that has nothing yet says so', async () => {
    await seed(cloud, {
      ...{ secret: 'fresh', kind: 'random', strategy: null, instance: null, database: null, schema: null },
      ...{ role: null, logins: [], policy: null, current: null, previous: null, rotatedAt: null },
      ...{ nextRotation: null, last: null },
    });
    const { stdout } = await secrets('show', 'fresh');
    expect(facts(stdout)).toEqual({
      ...{
        '': '',
        fresh: 'empty',
        kind: 'random',
        where: '-',
        logins: '-',
        current: 'none',
        previous: 'none',
      },
      ...{ grace: '1d', policy: 'none', 'next rotation': 'only when asked for', last: 'nothing yet' },
    });
  });

  test('says since when the former credential is out of use, and nothing of its grace', async () => {
    const [retiredAt, destruction] = [inDays(-1), inDays(6)];
    await seed(cloud, { secret: 'retired', previous: null, retiredAt, nextRetirement: destruction });
    const { previous, grace, retired } = facts((await secrets('show', 'retired')).stdout);
    expect({ previous, grace, retired }).toEqual({
      previous: 'none',
      grace: '1d',
      retired: `${shown(retiredAt)}, to be destroyed ${shown(destruction)}`,
    });
  });

  test('as JSON it is the record with its state, times in UTC', async () => {
    const nextRotation = inDays(-1);
    await seed(cloud, { secret: 'shown-json', nextRotation });
    const { stdout } = await secrets('show', 'shown-json', '--json');
    const record = JSON.parse(stdout) as Record<string, unknown>;
    expect(record).toMatchObject({ state: 'overdue', nextRotation: nextRotation.toISOString(), history: [] });
    expect(Object.keys(record)[0]).toBe('secret');
  });

  test.each([['show'], ['history'], ['rotate']])(
    '%s of an unknown one names the nearest',
    async (command) => {
      await seed(cloud, { secret: 'ledger-db' });
      const { code, stdout, stderr } = await secrets(command, 'leger-db');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^SECRET_NOT_FOUND: .* leger-db\. Did you mean ledger-db\?/);
    },
  );
});

test('history lists what became of it as the registry has it, newest first', async () => {
  const [newer, older] = [inDays(-1), inDays(-2)];
  const history = [
    { at: newer, action: 'rotate', operation: 'e'.repeat(40), code: 'LOGIN_IN_USE', detail: 'two\nlines' },
    { at: older, action: 'create', operation: 'f'.repeat(40), version: 1, actor: 'alice' },
  ] as const;
  await seed(cloud, { secret: 'old', history }, { secret: 'new' });
  const table = await secrets('history', 'old');
  const json = await secrets('history', 'old', '--json');
  const none = await secrets('history', 'new');
  expect(cells(table.stdout)).toEqual([
    ['AT', 'ACTION', 'VERSION', 'RESULT', 'OPERATION', 'ACTOR', 'DETAIL'],
    [shown(newer), 'rotate', '-', 'LOGIN_IN_USE', 'e'.repeat(40), '-', 'two\\nlines'],
    [shown(older), 'create', '1', 'ok', 'f'.repeat(40), 'alice'],
  ]);
  expect(JSON.parse(json.stdout)).toEqual(history.map((event) => ({ ...event, at: event.at.toISOString() })));
  expect(none).toEqual({ code: 0, stdout: '', stderr: 'Nothing has become of it yet.\n' });
});

describe('drover secrets rotate', () => {
  test('publishes what the arguments mean, waits and reports the end', async () => {
    await seed(cloud, { secret: 'rotated' });
    const subscription = await subscribe(cloud, secretsFunction);
    const arrival = receive(subscription);
    await startSecretsWorker(cloud, async ({ secret, force }, { dryRun }) => ({
      changes: [{ action: 'create', kind: 'version', name: secret, detail: `force ${force} dry ${dryRun}` }],
    }));
    const id = newId();
    const args = ['--force', '--dry-run', '--id', id, '--actor', 'alice'];
    const { code, stdout } = await secrets('rotate', 'rotated', ...args);
    const { data, attributes } = await arrival;
    expect(JSON.parse(data.toString())).toEqual({ secret: 'rotated', force: true });
    expect(attributes).toEqual({ 'operation-id': id, 'dry-run': 'true', 'claimed-actor': 'alice' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^rotate-secret planned in/m);
    expect(stdout).toMatch(/create +version +rotated +force true dry true$/m);
  });

  test('says only the name where nothing else is asked for, and a failure exits with 1', async () => {
    await seed(cloud, { secret: 'unlucky' });
    const messages: unknown[] = [];
    await startSecretsWorker(cloud, async (message) => {
      messages.push(message);
      throw new OperationError('LOGIN_IN_USE', 'billing_b has sessions');
    });
    const { code, stdout } = await secrets('rotate', 'unlucky', '--json');
    expect(code).toBe(1);
    expect(messages).toEqual([
      { secret: 'unlucky', action: 'rotate', force: false, scheduled: false, repair: false },
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'failed', error: { code: 'LOGIN_IN_USE' } });
  });

  test('gives up waiting with 3, and with --no-wait does not begin to', async () => {
    await seed(cloud, { secret: 'nobody' });
    const waited = await secrets('rotate', 'nobody', '--timeout', '0.2');
    const sent = await secrets('rotate', 'nobody', '--no-wait', '--id', 'unattended');
    expect(waited).toMatchObject({ code: 3, stdout: '' });
    expect(waited.stderr).toMatch(/no worker has taken it.*drover operations/);
    expect(sent).toMatchObject({ code: 0, stdout: 'unattended\n' });
  });
});

test.each([
  ['a limit that is no number', ['list', '--limit', 'x'], /--limit must be/],
  ['an instance that can not be one', ['list', '--instance', 'main'], /instance "main" must be/],
  ['no secret', ['show'], /Which secret\?/],
  ['a name that can not be one', ['rotate', 'a/b'], /secret "a\/b" must be the id/],
  ['two secrets', ['rotate', 'a', 'b'], /Unexpected argument: b/],
  ['an id that can not be one', ['rotate', 'a', '--id', 'a b'], /--id must be/],
  ['nothing to verify', ['verify'], /Give the ids of secrets, --all, or --instance/],
  ['two ways to say what to verify', ['verify', 'a', '--all'], /Give the ids/],
])('refuses %s, with 2', async (_case, args, message) => {
  const ran = await droverHere('secrets', ...args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(message);
});
