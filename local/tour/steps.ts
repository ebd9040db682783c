import { localInstance } from '../stack.ts';
import { grantSteps } from './grants.ts';
import { objectSteps } from './objects.ts';
import { showPrivileges } from './privileges.ts';
import { repositorySteps } from './repositories.ts';
import { secretSteps } from './secrets.ts';
import { asAdmin, type Step, target } from './step.ts';
import { tenantSteps } from './tenants.ts';
import { uploads } from './uploads.ts';

/** Databases of the tour. Drover may create in `app`; in `reports` its owner has not allowed it yet. */
export const tourDatabases = { open: ['app'], closed: ['reports'] };

/** What the tour's policy allows: these databases, and no other. */
export const tourPolicy = {
  rules: [
    {
      functions: ['create-schema'],
      targets: [`${localInstance}/app`, `${localInstance}/reports`, `${localInstance}/missing`],
      levels: ['owner', 'writer', 'reader', 'analyst'],
      principals: ['dora'],
      actions: ['adopt'],
    },
    {
      functions: ['grant-roles'],
      targets: [`${localInstance}/app`],
      levels: ['owner', 'writer', 'reader', 'analyst', 'custom:*'],
      principals: ['*@acme.example', '*@acme-dev.iam', 'dora'],
      actions: ['exact', 'offboard', 'createMissing', 'customRoles'],
    },
    {
      functions: ['rotate-secret'],
      targets: [`${localInstance}/app`],
      secrets: ['billing-*', 'ledger-*'],
      levels: ['writer'],
      actions: ['create'],
    },
    {
      functions: ['bootstrap-tenant'],
      targets: [`${localInstance}/app`, `${localInstance}/tenant_*`],
      levels: ['owner'],
      actions: ['system', 'createDatabase', 'quotas'],
    },
    {
      functions: ['sync-repo-metadata'],
      targets: [`${localInstance}/app`],
      repositories: [`gs://${uploads}/repositories/**`, 'github:*/*'],
    },
    {
      functions: ['ingest-object'],
      targets: [`${localInstance}/app`],
      secrets: ['ledger-*'],
      levels: ['owner', 'writer', 'reader', 'analyst', 'custom:*'],
      principals: ['*@acme.example', 'dora'],
      actions: ['create', 'createMissing', 'customRoles'],
    },
    { functions: ['reconcile'], targets: [`${localInstance}/app`], actions: ['mend'] },
  ],
};

const send = (id: string, data: unknown, ...options: string[]): string[] => [
  'send',
  'create-schema',
  '--id',
  id,
  '--data',
  typeof data === 'string' ? data : JSON.stringify(data),
  ...options,
];

const billing = { target: target('app'), schema: 'billing', owner: 'dora', comment: 'Invoices and payments' };

export const steps: readonly Step[] = [
  {
    title: 'A schema with its roles, for a team whose lead is dora',
    does: send('tour-1', billing),
    before: (stack) => stack.cluster.createLogin('dora', 'password'),
    expected: { state: 'succeeded' },
    after: showPrivileges,
  },
  {
    title: 'The same message delivered again: known by its id, nothing runs',
    does: send('tour-1', billing),
    expected: { state: 'succeeded' },
  },
  {
    title: 'The same wish under another id: inspected, found right, nothing to change',
    does: send('tour-2', billing),
    expected: { state: 'succeeded', changes: 0 },
  },
  {
    title: 'The first id with another message: a conflict, not an overwrite',
    does: send('tour-1', { ...billing, schema: 'payments' }),
    expected: { state: 'failed', code: 'IDEMPOTENCY_CONFLICT' },
  },
  {
    title: 'A dry run: the exact statements, and nothing done',
    does: send('tour-3', { target: target('app'), schema: 'payments', levels: ['reader'] }, '--dry-run'),
    expected: { state: 'planned' },
  },
  {
    title: 'A newer wish, then the older one late: the older one does not undo it',
    does: send('tour-4', { ...billing, comment: 'Invoices, payments and dunning' }, '--revision', '2'),
    expected: { state: 'succeeded', changes: 1 },
  },
  {
    title: '… and here it comes, late',
    does: send('tour-5', { ...billing, comment: 'Out of date' }, '--revision', '1'),
    expected: { state: 'succeeded', changes: 0, note: 'SUPERSEDED' },
  },
  {
    title: 'A schema that somebody made by hand is not touched …',
    does: send('tour-6', { target: target('app'), schema: 'archive' }),
    before: (stack) =>
      asAdmin(
        stack,
        'app',
        'CREATE SCHEMA archive; CREATE TABLE archive.letters (id int PRIMARY KEY, body text)',
      ),
    expected: { state: 'failed', code: 'SCHEMA_NOT_MANAGED' },
  },
  {
    title: '… unless the message adopts it, and its owner hands it over',
    does: send('tour-7', { target: target('app'), schema: 'archive', adopt: true }),
    before: (stack) =>
      asAdmin(
        stack,
        'app',
        'ALTER SCHEMA archive OWNER TO drover_admin; ALTER TABLE archive.letters OWNER TO drover_admin',
      ),
    expected: { state: 'succeeded' },
  },
  {
    title: 'Not JSON',
    does: send('tour-8', '{"schema": billing'),
    expected: { state: 'failed', code: 'INVALID_MESSAGE' },
  },
  {
    title: 'An injection, an unknown field and a wrong type: every problem is listed',
    does: send('tour-9', {
      target: target('app'),
      schema: `x'; DROP SCHEMA billing; --`,
      colour: 'red',
      levels: 7,
    }),
    expected: { state: 'failed', code: 'INVALID_MESSAGE' },
  },
  {
    title: 'A database that the policy does not name',
    does: send('tour-10', { target: target('payroll'), schema: 'salaries' }),
    expected: { state: 'failed', code: 'NOT_ALLOWED' },
  },
  {
    title: 'A database that does not exist',
    does: send('tour-11', { target: target('missing'), schema: 'billing' }),
    expected: { state: 'failed', code: 'DATABASE_NOT_FOUND' },
  },
  {
    title: 'A database whose owner has not let Drover in: the error holds the statement',
    does: send('tour-12', { target: target('reports'), schema: 'monthly' }),
    expected: { state: 'failed', code: 'CANNOT_CREATE_IN_DATABASE' },
  },
  {
    title: 'The admin runs it, and the message that was kept is replayed',
    does: ['dead-letters', 'replay', 'tour-12'],
    before: (stack) => asAdmin(stack, 'postgres', 'GRANT CREATE ON DATABASE reports TO drover_admin'),
    expected: { state: 'succeeded' },
  },
  ...grantSteps,
  ...secretSteps,
  ...tenantSteps,
  ...repositorySteps,
  ...objectSteps,
];
