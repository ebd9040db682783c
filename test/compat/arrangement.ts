import { localPassword } from '../../local/postgres/cloudsql.ts';
import { type CustomRole, customRoleDefinition } from '../../shared/postgres/custom-role.ts';
import { roleName } from '../../shared/postgres/names.ts';
import { schemaRoles } from '../../shared/postgres/schema/inspect.ts';
import { desired, type PreparedCluster, run } from '../support/postgres.ts';

export const roles = schemaRoles('app', 'billing');
export const custom = (name: string) => roleName('app', 'billing', name);

/** Custom roles, and what two of them are brought to later. */
const definitions: readonly CustomRole[] = [
  { name: 'support', version: 1, inherits: ['reader'], privileges: { tables: ['UPDATE', 'TRUNCATE'] } },
  { name: 'audit', version: 1, privileges: { tables: ['SELECT'] } },
  { name: 'watch', version: 1, native: ['pg_read_all_stats'] },
].map((one) => customRoleDefinition.parse(one));
export const redefined: readonly CustomRole[] = [
  { name: 'support', version: 2, privileges: { tables: ['SELECT', 'DELETE'] } },
  { name: 'watch', version: 2 },
].map((one) => customRoleDefinition.parse(one));

/** The schema with all levels, as who makes schemas wishes it, and as who defines roles does. */
export const ofLevels = desired('app', 'billing');
export const all = { ...ofLevels, customRoles: definitions };

/** Who tries: each is a login of its own, and what it is a member of. */
export const actors = {
  'an owner acting as such': { login: 'olivia', as: roles.owner },
  'an owner without SET ROLE': { login: 'olivia' },
  'a writer': { login: 'wanda', memberOf: roles.writer },
  'a reader': { login: 'rita', memberOf: roles.reader },
  'an analyst': { login: 'anna', memberOf: roles.analyst },
  'a supporter': { login: 'sue', memberOf: custom('support') },
  'an auditor': { login: 'audrey', memberOf: custom('audit') },
  'a watcher': { login: 'walt', memberOf: custom('watch') },
  'a monitor': { login: 'mona', memberOf: roles.monitor },
  'any other login': { login: 'zoe' },
} as const;
export type Actor = keyof typeof actors;
export const everybody = Object.keys(actors) as Actor[];

/** When an object was made: before Drover knew of it, before there were levels but the owner's, and after. */
export const ages = ['adopted', 'earlier', 'later'] as const;

/** Makes objects of each age, as their makers would. */
export async function arrange(cluster: PreparedCluster): Promise<void> {
  await cluster.open('app');
  const logins = new Map(Object.values(actors).map((actor) => [actor.login, actor]));
  for (const login of logins.keys()) await cluster.createLogin(login, 'iam');
  const handOver = [
    'TABLE $_items',
    'VIEW $_view',
    'SEQUENCE $_numbers',
    'FUNCTION $_double',
    'PROCEDURE $_touch',
  ];
  await run(
    cluster.adminUrl('app'),
    'CREATE SCHEMA billing',
    ...objects('adopted'),
    'ALTER SCHEMA billing OWNER TO drover_admin',
    ...handOver.map((object) => `ALTER ${object.replace(' $', ' billing.adopted')} OWNER TO drover_admin`),
  );

  await cluster.converge(desired('app', 'billing', { levels: [], adopt: true, owner: 'olivia' }));
  const olivia = cluster.url('olivia', localPassword, 'app');
  await run(olivia, `SET ROLE ${roles.owner}`, ...objects('earlier'));

  await cluster.converge(all);
  await run(olivia, `SET ROLE ${roles.owner}`, ...objects('later'));

  for (const actor of logins.values()) {
    if ('memberOf' in actor)
      await run(cluster.superuserUrl('app'), `GRANT ${actor.memberOf} TO ${actor.login}`);
  }
}

export function objects(age: (typeof ages)[number] | 'latest'): string[] {
  return [
    'CREATE TABLE billing.$_items (id serial PRIMARY KEY, note text)',
    `INSERT INTO billing.$_items (note) VALUES ('first')`,
    'CREATE VIEW billing.$_view AS SELECT note FROM billing.$_items',
    'CREATE SEQUENCE billing.$_numbers',
    'CREATE FUNCTION billing.$_double(a int) RETURNS int LANGUAGE sql RETURN a * 2',
    'CREATE PROCEDURE billing.$_touch() LANGUAGE sql BEGIN ATOMIC SELECT 1; END',
  ].map((text) => text.replaceAll('$', age));
}
