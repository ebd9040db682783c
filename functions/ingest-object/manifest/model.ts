import * as z from 'zod';
import { schemaName, target } from '../../../shared/postgres/target.ts';
import { secretId } from '../../../shared/secrets/managed.ts';
import { tenantMessage } from '../../bootstrap-tenant/message.ts';
import { createSchemaMessage } from '../../create-schema/message.ts';
import { grantRolesMessage, mostGrants } from '../../grant-roles/message.ts';
import { rotateSecretMessage } from '../../rotate-secret/message.ts';

/** What a manifest may have at most. */
export const bounds = {
  schemas: 1000,
  secrets: 1000,
  /** In all, each principal of each entry. */
  grants: 5000,
  /** Of a schema that says `exact`: one message has them all. */
  exactGrants: mostGrants,
  /** Names in one `after`. */
  after: 100,
} as const;

/** An object with at most so many keys. */
const map = <K extends z.core.$ZodRecordKey, V extends z.ZodType>(keys: K, values: V, most: number) =>
  z
    .record(keys, values)
    .refine((entries) => Object.keys(entries).length <= most, { error: `must have at most ${most} entries` })
    .meta({ maxProperties: most });

const { principal, kind, level, customRole, expiresAt, reason } =
  grantRolesMessage.shape.grants.element.in.shape;

const oneOf = (...names: string[]) => names.map((name) => ({ required: [name] }));

const grant = z
  .strictObject({
    principal: principal.optional(),
    /** Several that are given the same. */
    principals: z.array(principal).min(1).max(bounds.exactGrants).optional(),
    kind,
    level,
    customRole,
    expiresAt,
    reason,
  })
  .meta({
    allOf: [{ oneOf: oneOf('principal', 'principals') }, { oneOf: oneOf('level', 'customRole') }],
  });

/** One line of grants: what one or several principals get. */
export type GrantEntry = z.infer<typeof grant>;

const grants = z.array(grant).max(bounds.grants);

/** Who may do what in one schema. */
const roles = {
  customRoles: grantRolesMessage.shape.customRoles,
  /** Undefined isn't the same as none: `exact` takes everything away only where that is said. */
  grants: grants.optional(),
  exact: z.boolean().default(false),
  createMissing: grantRolesMessage.shape.createMissing,
};

const ownSchema = z.strictObject(roles);

export type RolesEntry = z.infer<typeof ownSchema>;

const { owner, levels, comment, adopt } = createSchemaMessage.shape;

const schema = z.strictObject({
  owner,
  levels,
  comment,
  adopt,
  /** Schemas of the same manifest that are to be there before. */
  after: z.array(schemaName).max(bounds.after).default([]),
  ...roles,
});

export type SchemaEntry = z.infer<typeof schema>;

const { target: _target, secret: _secret, kind: secretKind, ...ofSecret } = rotateSecretMessage.shape;

const secret = z.strictObject({
  kind: secretKind.unwrap(),
  strategy: ofSecret.strategy,
  schema: ofSecret.schema,
  level: ofSecret.level,
  customRole: ofSecret.customRole,
  prefix: ofSecret.prefix,
  grace: ofSecret.grace,
  policy: ofSecret.policy,
  probe: ofSecret.probe,
});

export type SecretEntry = z.input<typeof secret>;

const ofTenant = tenantMessage.shape;

const tenant = z.strictObject({
  id: ofTenant.tenant,
  displayName: ofTenant.displayName,
  contact: ofTenant.contact,
  plan: ofTenant.plan,
  quotas: ofTenant.quotas,
  isolation: ofTenant.isolation,
  target: ofTenant.target,
  region: ofTenant.region,
  features: ofTenant.features,
  level: ofTenant.level,
  scopes: ofTenant.scopes,
  readers: ofTenant.readers,
  /** Who else may do what in the schema that it has as a tenant. */
  schema: ownSchema.optional(),
});

export type TenantEntry = Omit<z.input<typeof tenant>, 'schema'> & Pick<z.output<typeof tenant>, 'schema'>;

/**
 * What a manifest is, as far as each part can be judged by itself; `rules.ts` has the rest. Fields that become messages are those
 * of the messages: what they refuse is refused here.
 */
export const manifestSchema = z
  .strictObject({
    /** For editors. */
    $schema: z.string().max(2048).optional(),
    version: z.literal(1),
    database: target.optional(),
    tenant: tenant.optional(),
    onDelete: z.enum(['keep', 'revoke']).default('keep'),
    lockDatabase: createSchemaMessage.shape.lockDatabase,
    schemas: map(schemaName, schema, bounds.schemas).default({}),
    /** The database's own roles. */
    grants: grants.default([]),
    secrets: map(secretId, secret, bounds.secrets).default({}),
  })
  .meta({ oneOf: oneOf('database', 'tenant') });

type Parsed = z.infer<typeof manifestSchema>;

/** The desired state of a database or a tenant. */
export type Manifest = Readonly<Omit<Parsed, 'tenant' | 'secrets'>> & {
  /** As it was written, for so it is sent: a message's defaults, and what becomes of `24h`, are the function's business. */
  readonly tenant?: TenantEntry | undefined;
  readonly secrets: Readonly<Record<string, SecretEntry>>;
};
