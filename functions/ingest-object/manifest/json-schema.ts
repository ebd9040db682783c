import * as z from 'zod';
import { manifestSchema } from './model.ts';

/** What a JSON Schema is made of, as far as it is looked at here. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly [keyword: string]: unknown;
}

const secretTexts = {
  kind: 'postgres: logins and their passwords. api-key, random: a value.',
  strategy:
    'two-user (the default): two logins take turns, so that one always works. single-user: one login, for applications that can’t follow a user name.',
  schema: 'Whose role its logins get.',
  level: 'What its logins may do in the schema; monitor is the database’s.',
  customRole: 'Instead of a level: a custom role of the schema.',
  prefix: 'What an API key begins with.',
  grace: 'How long a replaced credential goes on working: 90m, 24h, 7d.',
  policy: 'How often it is rotated by itself.',
  'policy.everyDays': 'Days between rotations.',
  'policy.jitterDays': 'Rotations are spread over so many days before that: at most half of everyDays.',
  probe: 'A query that a new login must be able to run before it is published.',
};

const grantTexts = {
  principal: 'Who gets it: an e-mail address, or the name of a login.',
  principals: 'Several who get the same.',
  kind: 'What the principals are.',
  level: 'What they may do in the schema; monitor is the database’s.',
  customRole: 'Instead of a level: a custom role of the schema, which its customRoles define.',
  expiresAt: 'When it is taken back: 2030-01-31T18:00:00Z. Without it, the grant stays.',
  reason: 'For people: why.',
};

const rolesTexts = {
  customRoles: 'Roles beside the levels.',
  'customRoles[].name': 'What it is called in grants.',
  'customRoles[].version': 'Of the definition: another one needs a higher number.',
  'customRoles[].inherits': 'Levels whose privileges it has, too.',
  'customRoles[].privileges': 'What its members may do with all that is in the schema.',
  'customRoles[].privileges.tables': 'With tables and views.',
  'customRoles[].privileges.sequences': 'With sequences.',
  'customRoles[].privileges.routines': 'With functions and procedures.',
  'customRoles[].native': 'Predefined roles of PostgreSQL that it is a member of.',
  grants: 'Who may do what in the schema.',
  ...within('grants[]', grantTexts),
  exact:
    'These grants and no other: all others are taken back, but those of the logins of this file’s secrets.',
  createMissing: 'Make IAM principals that the instance doesn’t know yet its users.',
};

/** What editors show for each field. */
const texts: Readonly<Record<string, string>> = {
  $schema: 'For editors of JSON: where this schema is.',
  version: 'Of the format.',
  database: 'The database that it is about. Either this or tenant.',
  'database.instance': 'Its instance: project:region:name.',
  'database.database': 'Its name.',
  tenant: 'The tenant that it is about. Either this or database.',
  'tenant.id': 'What it is called everywhere: part of the names of what it has.',
  'tenant.displayName': 'What people call it.',
  'tenant.contact': 'Who is written to about it.',
  'tenant.plan': 'The name of its plan.',
  'tenant.quotas': 'Limits that it has instead of its plan’s.',
  'tenant.quotas.connections': 'Of each of its logins.',
  'tenant.quotas.statementTimeoutSeconds': 'The default of its sessions, which they may change.',
  'tenant.quotas.operationsPerMinute': 'Operations that it asks for: more are deferred.',
  'tenant.quotas.operationsPerDay': 'Operations that it asks for in a day (UTC): more are refused.',
  'tenant.quotas.concurrentOperations': 'Operations at a time: more are deferred.',
  'tenant.quotas.tableExpiryDays': 'Days after which tables of its dataset expire.',
  'tenant.quotas.entitlements': 'What else it may have, by name.',
  'tenant.isolation': 'Whether it shares a database with others (schema), or has one of its own (database).',
  'tenant.target': 'Where it is.',
  'tenant.target.instance': 'The instance: project:region:name.',
  'tenant.target.database':
    'The database that it shares; or what its own is to be called, unless tenant_ID will do.',
  'tenant.region': 'Where its dataset is, if not where the platform’s is: EU, US, europe-west1 …',
  'tenant.features': 'What it has beside its database or schema.',
  'tenant.features.analytics': 'A dataset in BigQuery.',
  'tenant.features.storage': 'A place in the tenants’ bucket.',
  'tenant.features.apiKey': 'An API key.',
  'tenant.features.opaqueNames': 'Names in the catalog that don’t say whose they are.',
  'tenant.level': 'What its login may do: own its schema, or change what is in the tables.',
  'tenant.scopes': 'What its API key may be used for.',
  'tenant.readers': 'Who may read its dataset: e-mail addresses, and of groups with group: before them.',
  'tenant.schema': 'Who else may do what in the schema that it has as a tenant.',
  ...within('tenant.schema', rolesTexts),
  onDelete:
    'What becomes of grants that the file no longer has, or that a deleted file had: keep them, or revoke them. Schemas, data and secrets stay.',
  lockDatabase: 'Take CONNECT and TEMPORARY away from PUBLIC in the whole database.',
  schemas: 'Schemas, by their names.',
  'schemas.*': 'A schema and its roles.',
  'schemas.*.owner': 'A login that may act as the schema’s owner. It exists already.',
  'schemas.*.levels': 'Roles to make beside the owner’s.',
  'schemas.*.comment': 'The comment on the schema.',
  'schemas.*.adopt': 'Take over a schema that exists, with all that is in it.',
  'schemas.*.after': 'Schemas of this file that are to be there before.',
  ...within('schemas.*', rolesTexts),
  grants: 'Who gets the database’s own role: monitor.',
  ...within('grants[]', grantTexts),
  secrets: 'Secrets in Secret Manager that Drover takes care of, by their ids.',
  'secrets.*': 'A secret. One that exists keeps its credential.',
  ...within('secrets.*', secretTexts),
};

/** The JSON Schema of a manifest: for completion and checking in editors. What it can't say, the function checks. */
export function manifestJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(manifestSchema, { io: 'input', target: 'draft-2020-12' });
  return {
    $schema,
    $id: 'urn:drover:schema:manifest:1',
    title: 'Drover manifest',
    description: 'The desired state of a database or a tenant, for Drover. See docs/manifests.md.',
    ...described(schema as Node, ''),
  };
}

const lineWidth = 110;

/** The same as the text of a file, formatted as all files here are: lists of words on one line where they fit. */
export function manifestJsonSchemaText(): string {
  const text = JSON.stringify(manifestJsonSchema(), undefined, 2);
  return text.replace(
    /^(.*)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (whole, start: string, list: string, end: string) => {
      const line = `${start}[${list.trim().replace(/,\n */g, ', ')}]${end}`;
      return line.length <= lineWidth ? line : whole;
    },
  );
}

function described(node: Node, path: string): Node {
  const { properties, additionalProperties, items, ...rest } = node;
  const text = texts[path];
  return {
    ...(text === undefined ? {} : { description: text }),
    ...rest,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, one]) => [
              name,
              described(one, path === '' ? name : `${path}.${name}`),
            ]),
          ),
        }),
    ...(items === undefined ? {} : { items: described(items, `${path}[]`) }),
    ...(additionalProperties === undefined
      ? {}
      : {
          additionalProperties:
            typeof additionalProperties === 'object'
              ? described(additionalProperties, `${path}.*`)
              : additionalProperties,
        }),
  };
}

function within(path: string, inner: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(inner).map(([name, text]) => [`${path}.${name}`, text]));
}
