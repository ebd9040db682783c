import { styleText } from 'node:util';
import type { Usage } from '../../shared/registry/quotas/model.ts';
import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { confirmationOf } from '../../shared/registry/tenants/store.ts';
import type { Plan } from '../../shared/tenants/plans.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { type Fact, factLines, given } from '../facts.ts';
import { timeText } from '../operation-report.ts';
import { print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { toJson } from '../record-json.ts';
import { whereText } from '../where.ts';
import { tenantJson } from './json.ts';
import { findTenant, readTenantId, usageOf } from './record.ts';
import { paintTenantState, reasonText } from './state.ts';

const options = {
  json: { type: 'boolean', about: 'print what the registry has of it as JSON, what it has used today, too' },
} as const satisfies Options;

/** `drover tenants show` */
export const showTenantCommand: Command = {
  name: 'tenants show',
  usage: 'TENANT [options]',
  summary: 'show everything about one: what it has, where, and what its plan allows',
  description: [
    'Names and places; values are in Secret Manager only. Shows what removes it, with the confirmation that this',
    'needs: it means this tenant, and none that has its id later. As JSON it is left out.',
  ].join('\n'),
  options,
  examples: ['tenants show acme', 'tenants show acme --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['TENANT']);
    const id = readTenantId(positionals[0]);
    return withCloud(['Firestore'], async () => {
      const [tenant, usage] = await Promise.all([findTenant(id), usageOf(id, new Date())]);
      if (values.json) print(toJson({ ...tenantJson(tenant), usage: usage ?? null }));
      else {
        print(
          `${styleText('bold', printableLine(tenant.tenant))}  ${paintTenantState(tenant.state)}`,
          ...factLines(facts(tenant, usage)),
        );
      }
      return exitCode.done;
    });
  },
};

function facts(tenant: TenantRecord, usage: Usage | undefined): Fact[] {
  const { displayName, contact, plan, limits, createdAt, changedAt, removedAt } = tenant;
  const { operation, holder, failure, archive, restored } = tenant;
  // Firestore keeps no order of fields.
  const entitlements = Object.entries(limits.entitlements)
    .sort()
    .map(([name, most]) => `${name} ${most}`);
  return [
    ['name', displayName],
    ['contact', contact],
    ['plan', plan],
    ['limits', limitsText(limits)],
    ...given('used', usage ? usedText(usage, limits) : null),
    ...given('entitlements', entitlements.join(', ')),
    ...placeFacts(tenant),
    ['created', timeText(createdAt)],
    ['changed', `${timeText(changedAt)}: drover operations ${operation}`],
    ...given('removed', removedAt && timeText(removedAt)),
    ...given('under way', holder && `drover operations ${holder}`),
    ...given('failure', failure && `${failure.step ? `${failure.step}: ` : ''}${reasonText(failure)}`),
    ...given('archive', archive),
    ...given('restored from', restored),
    ...nextFacts(tenant),
  ];
}

function limitsText(limits: Plan): string {
  return [
    `${limits.connections} connections for each login`,
    `statements ${limits.statementTimeoutSeconds} s by default`,
    `operations ${limits.operationsPerMinute} a minute, ${limits.operationsPerDay} a day, ${limits.concurrentOperations} at a time`,
    ...(limits.tableExpiryDays === undefined ? [] : [`tables expire after ${limits.tableExpiryDays} d`]),
  ].join('; ');
}

/** Days are counted in UTC. */
function usedText({ today, recent }: Usage, { operationsPerDay }: Plan): string {
  const lastMinute = recent.reduce((sum, { count }) => sum + count, 0);
  return `${today} of ${operationsPerDay} operations today, ${lastMinute} in the last minute`;
}

function placeFacts({ isolation, level, features, place, scopes, region, readers }: TenantRecord): Fact[] {
  const { apiKeySecret, dataset } = place;
  const ofReaders = readers.length === 0 ? '' : `, read by ${readers.join(', ')}`;
  return [
    ['where', whereText(place)],
    ['isolation', features.opaqueNames ? `${isolation}, opaque names` : isolation],
    ['logins', `${place.logins.join(', ')} (${level})`],
    ['credential', place.secret],
    ...given('API key', apiKeySecret && `${apiKeySecret} (${scopes.join(', ')})`),
    ...given('dataset', dataset && `${dataset}${region === null ? '' : ` in ${region}`}${ofReaders}`),
    ...given('storage', place.storage),
  ];
}

/** What can be done about it from here. */
function nextFacts(tenant: TenantRecord): Fact[] {
  const { tenant: id, state, archive } = tenant;
  if (state === 'removed') return given('to restore it', archive && `drover tenants restore ${id}`);
  // Nothing of it is left.
  if (state === 'failed') return [];
  return [['to remove it', `drover tenants remove ${id} --confirm ${confirmationOf(tenant)}`]];
}
