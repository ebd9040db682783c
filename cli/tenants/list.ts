import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { choiceOption, numberOption, parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { readInstance } from '../grants/place.ts';
import { timeText } from '../operation-report.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { table } from '../table.ts';
import { whereText } from '../where.ts';
import { tenantJson } from './json.ts';
import { listTenants } from './record.ts';
import { failureText, paintTenantState, tenantStates } from './state.ts';

const options = {
  state: {
    type: 'string',
    placeholder: 'STATE',
    about: `only those that are ${tenantStates.join(', ')}`,
  },
  plan: { type: 'string', placeholder: 'PLAN', about: 'only those with this plan' },
  instance: {
    type: 'string',
    placeholder: 'PROJECT:REGION:NAME',
    about: 'only those with their database or schema on this instance',
  },
  limit: { type: 'string', placeholder: 'N', default: '100', about: 'how many to list (default 100)' },
  json: { type: 'boolean', about: 'print the list of records as JSON' },
} as const satisfies Options;

/** `drover tenants list` */
export const listTenantsCommand: Command = {
  name: 'tenants list',
  usage: '[options]',
  summary: 'list tenants',
  description:
    'By id, as the registry has them: those that were removed, too. FAILURE is the step and why it failed.',
  options,
  examples: ['tenants list --state failed', 'tenants list --plan SCALE --limit 1000 --json'],
  async run(args) {
    const { values } = parseArguments(options, args);
    const { plan, json = false } = values;
    const limit = numberOption('limit', values.limit, { least: 1, most: 10_000, whole: true });
    const state = choiceOption('state', values.state, tenantStates);
    const instance = values.instance === undefined ? undefined : readInstance(values.instance);
    return withCloud(['Firestore'], async () => {
      const found = await listTenants({ state, plan, instance }, limit + 1);
      const tenants = found.slice(0, limit);
      const isFiltered = state !== undefined || plan !== undefined || instance !== undefined;
      if (json) print(toJson(tenants.map(tenantJson)));
      else if (tenants.length > 0) print(...tenantsTable(tenants));
      else notice(isFiltered ? 'There are no such tenants.' : noTenants);
      if (found.length > limit) notice(`There are more than ${limit}; --limit lists more.`);
      return exitCode.done;
    });
  },
};

const noTenants =
  'There are no tenants yet. Send bootstrap-tenant:\n' +
  `  drover send bootstrap-tenant --wait --data '{"scope":"tenant","tenant":"acme","plan":"STARTER", …}'`;

function tenantsTable(tenants: readonly TenantRecord[]): string[] {
  return table(
    ['TENANT', 'STATE', 'PLAN', 'WHERE', 'CHANGED', 'FAILURE'],
    tenants.map(({ tenant, state, plan, place, changedAt, failure }) => [
      tenant,
      { text: state, paint: (text) => paintTenantState(state, text) },
      plan,
      whereText(place),
      timeText(changedAt),
      failureText({ failure }),
    ]),
  );
}
