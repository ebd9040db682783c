import { localInstance, type Stack } from '../stack.ts';
import { drover } from './drover.ts';
import { asAdmin, type Step, target } from './step.ts';

/** When alice's access ends: soon enough to watch. */
const lifetimeMs = 15_000;

let aliceUntil = '';

const billing = { target: target('app'), schema: 'billing' };
const dora = { principal: 'dora', kind: 'login', level: 'owner' };
const deploy = {
  principal: 'deploy@acme-dev.iam.gserviceaccount.com',
  kind: 'iam-service-account',
  level: 'writer',
};
const alice = { principal: 'Alice@acme.example', kind: 'iam-user' };

const grantRoles = (id: string, message: object, ...options: string[]): string[] => [
  'send',
  'grant-roles',
  '--id',
  id,
  '--data',
  JSON.stringify(message),
  ...options,
];

/** Who may do what: grants, looks, lets one expire, and sees somebody off. */
export const grantSteps: readonly Step[] = [
  {
    title:
      'Access for two: alice until later today, the deployment for good. Cloud SQL is told of them first',
    does: () => {
      aliceUntil = new Date(Date.now() + lifetimeMs).toISOString();
      const reading = { ...alice, level: 'reader', expiresAt: aliceUntil, reason: 'Quarterly audit' };
      return grantRoles('tour-16', {
        ...billing,
        mode: 'add',
        createMissing: true,
        grants: [reading, deploy],
      });
    },
    expected: { state: 'succeeded', changes: 4 },
    after: (stack) => showWho(stack, ['alice@acme.example', 'deploy@acme-dev.iam', 'dora']),
  },
  {
    title:
      'One whom the instance doesn’t know, and a user who is said to be a group: refused, with the places',
    does: grantRoles('tour-17', {
      ...billing,
      mode: 'add',
      grants: [
        { principal: 'nobody@acme.example', kind: 'iam-user', level: 'reader' },
        { ...alice, kind: 'iam-group', level: 'writer' },
      ],
    }),
    expected: { state: 'failed', code: 'PRINCIPAL_NOT_FOUND' },
  },
  {
    title: 'Exactly these and no other: a dry run first',
    does: grantRoles('tour-18', { ...billing, mode: 'exact', grants: [dora, deploy] }, '--dry-run'),
    expected: { state: 'planned' },
  },
  {
    title: 'A role of your own: reads, and may mark invoices as paid',
    does: grantRoles('tour-19', {
      ...billing,
      mode: 'add',
      customRoles: [
        { name: 'support', version: 1, inherits: ['reader'], privileges: { tables: ['UPDATE'] } },
      ],
      grants: [{ principal: 'dora', kind: 'login', customRole: 'support' }],
    }),
    expected: { state: 'succeeded' },
  },
  {
    title: 'Alice’s time is over: the next look at what is due takes her access back',
    does: ['send', 'reconcile', '--id', 'tour-20', '--data', JSON.stringify({ instance: localInstance })],
    before: (stack) => untilThen(stack),
    expected: { state: 'succeeded' },
    after: (stack) => showWho(stack, ['deploy@acme-dev.iam', 'dora']),
  },
  {
    title:
      'Somebody grants by hand: the comparison with the registry finds it, and mends it as the policy says',
    does: [
      'send',
      'reconcile',
      '--id',
      'tour-21',
      '--data',
      JSON.stringify({ instance: localInstance, all: true }),
    ],
    before: (stack) =>
      asAdmin(
        stack,
        'app',
        `DO $$ BEGIN
           EXECUTE (SELECT format('GRANT %I TO postgres', grantor::regrole::text) FROM pg_auth_members
                     WHERE roleid = 'app__billing__owner'::regrole AND member = 'dora'::regrole);
           EXECUTE (SELECT format('SET ROLE %I', grantor::regrole::text) FROM pg_auth_members
                     WHERE roleid = 'app__billing__owner'::regrole AND member = 'dora'::regrole);
         END $$;
         GRANT app__billing__writer TO "alice@acme.example"`,
      ),
    expected: { state: 'succeeded', note: 'DRIFT' },
    after: (stack) => showWho(stack, ['deploy@acme-dev.iam', 'dora']),
  },
  {
    title: 'Alice leaves: out of every database of the instance, and no user of it any more',
    does: grantRoles('tour-22', { target: target('app'), mode: 'offboard', grants: [alice] }),
    expected: { state: 'succeeded' },
  },
];

/** Waits for the database's clock, which decides. */
async function untilThen(stack: Stack): Promise<void> {
  await asAdmin(
    stack,
    'app',
    `SELECT pg_sleep(greatest(0, extract(epoch FROM '${aliceUntil}'::timestamptz - clock_timestamp()) + 0.01))`,
  );
}

/** Prints who has access, as the catalog says; false where it isn't these. */
async function showWho(stack: Stack, expected: readonly string[]): Promise<boolean> {
  const who = ['grants', 'who', `${localInstance}/app`, '--schema', 'billing'];
  const [text, json] = await Promise.all([drover(who, stack), drover([...who, '--json'], stack)]);
  console.log(text.trimEnd().replaceAll(/^/gm, '      '));
  const { managed } = JSON.parse(json) as { managed: readonly { principal: string }[] };
  const found = [...new Set(managed.map(({ principal }) => principal))].sort();
  return JSON.stringify(found) === JSON.stringify([...expected].sort());
}
