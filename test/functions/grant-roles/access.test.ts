import { expect, it } from 'vitest';
import grantRoles from '../../../functions/grant-roles/index.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { operationDocumentId, operationsCollection } from '../../../shared/registry/operations.ts';
import { push, useWorker } from '../../shared/operation/worker.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };

// What a message asks for shows in what a rule doesn't allow that allows nothing.
const rule = { functions: ['grant-roles'], targets: [`${target.instance}/app`], longestGrantHours: 24 };
useWorker({ DROVER_POLICY: JSON.stringify({ rules: [rule] }) });

const hours = (count: number) => ({ expiresAt: new Date(Date.now() + count * 3_600_000).toISOString() });
const login = (principal: string, more: object) => ({ principal, kind: 'login', ...more });
const tooLong = 'grants for more than 24 hours';

const support = { name: 'support', version: 1 };
const member = (principal: string, customRole: string, more = {}) =>
  login(principal, { customRole, ...more });

it.each([
  {
    what: 'levels, and those who get them',
    message: {
      grants: [
        login('alice', { level: 'writer', ...hours(23) }),
        login('bob', { level: 'reader', ...hours(1) }),
      ],
    },
    asks: ['level writer', 'level reader', 'principal alice', 'principal bob'],
  },
  {
    what: 'a custom role by its name',
    message: { grants: [member('alice', 'auditor', hours(1))] },
    asks: ['level custom:auditor', 'principal alice'],
  },
  {
    what: 'a definition with all that it hands on',
    message: {
      customRoles: [
        { ...support, inherits: ['writer', 'analyst'], native: ['pg_monitor', 'pg_checkpoint'] },
        { ...support, name: 'auditor', native: ['pg_monitor'] },
      ],
    },
    asks: [
      'level custom:support',
      'level writer',
      'level analyst',
      'level custom:auditor',
      'customRoles',
      'native:pg_monitor',
      'native:pg_checkpoint',
    ],
  },
  {
    what: 'as much where it takes all away but for what it names',
    message: { mode: 'exact', grants: [member('alice', 'support', hours(1))], customRoles: [support] },
    asks: ['level custom:support', 'principal alice', 'exact', 'customRoles'],
  },
  {
    what: 'users to be made',
    message: {
      createMissing: true,
      grants: [{ ...login('new@acme.com', { level: 'reader', ...hours(1) }), kind: 'iam-user' }],
    },
    asks: ['level reader', 'principal new@acme.com', 'createMissing'],
  },
  {
    what: 'grants for as long as the longest of them',
    message: {
      grants: [
        login('alice', { level: 'reader', ...hours(25) }),
        login('bob', { level: 'reader', ...hours(1) }),
      ],
    },
    asks: ['level reader', 'principal alice', 'principal bob', tooLong],
  },
  {
    what: 'grants for ever where one has no end',
    message: {
      mode: 'exact',
      grants: [login('alice', { level: 'reader', ...hours(1) }), member('bob', 'support')],
    },
    asks: ['level reader', 'level custom:support', 'principal alice', 'principal bob', 'exact', tooLong],
  },
  {
    what: 'no time where it takes grants back',
    message: { mode: 'revoke', grants: [member('alice', 'support')] },
    asks: ['level custom:support', 'principal alice'],
  },
  {
    what: 'no time where it only defines',
    message: { customRoles: [support] },
    asks: ['level custom:support', 'customRoles'],
  },
  {
    what: 'no time where it takes somebody out',
    message: { mode: 'offboard', schema: undefined, grants: [login('alice', {})] },
    asks: ['principal alice', 'offboard'],
  },
  {
    what: 'no time where nobody is to be left',
    message: { mode: 'exact', allowEmpty: true },
    asks: ['exact'],
  },
])('a message asks for $what', async ({ message, asks }) => {
  await grantRoles(push('asked', { target, schema: 'billing', mode: 'add', grants: [], ...message }));

  const db = await firestore();
  const id = operationDocumentId('grant-roles', { operationId: 'asked', dryRun: false });
  const record = await db.collection(operationsCollection).doc(id).get();
  const { code, details } = record.get('error');
  expect(code).toBe('NOT_ALLOWED');
  expect([...new Set(details.missing)]).toEqual(asks);
});
