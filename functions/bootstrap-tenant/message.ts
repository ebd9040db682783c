import * as z from 'zod';
import { databaseName, instanceName, text } from '../../shared/postgres/target.ts';
import { isolations } from '../../shared/registry/tenants/model.ts';
import { tenantId } from '../../shared/tenants/id.ts';
import { quotasSchema } from '../../shared/tenants/plans.ts';

/** @see https://cloud.google.com/bigquery/docs/locations */
const region = z.string().regex(/^[A-Za-z]{2,3}$|^[a-z]+-[a-z]+[0-9]+$/, {
  error: 'must be a location of BigQuery: EU, US, europe-west1 …',
});

const uri = (ending: string) =>
  z
    .string()
    .max(1024)
    .refine((value) => value.startsWith('gs://') && value.endsWith(ending), {
      error: `must be gs://…${ending}`,
    });

const features = z.strictObject({
  /** A dataset in BigQuery. */
  analytics: z.boolean().default(true),
  /** A place in the tenants' bucket. */
  storage: z.boolean().default(true),
  apiKey: z.boolean().default(true),
  /** Names in the catalog that all logins of an instance can read, which don't say whose they are. */
  opaqueNames: z.boolean().default(false),
});

/** Makes a tenant, and brings one that exists to this. Sent again, it changes nothing. */
export const tenantMessage = z.strictObject({
  scope: z.literal('tenant'),
  tenant: tenantId,
  displayName: text(200).min(1),
  /** Who is written to about it. */
  contact: z.email().max(254),
  /** The name of a plan in DROVER_PLANS. */
  plan: z.string().max(50),
  /** Limits that it has instead of its plan's; without them it has the plan's again. */
  quotas: quotasSchema.optional(),
  /** Whether it shares a database with others. That can't be changed later. */
  isolation: z.enum(isolations).default('schema'),
  /** The database that it shares; or, of one of its own, what that is to be called, unless `tenant_ID` will do. */
  target: z.strictObject({ instance: instanceName, database: databaseName.optional() }),
  /** Where its dataset is, if not where the platform's is. */
  region: region.optional(),
  features: features.prefault({}),
  /** What its login may do: own its schema, or change what is in the tables. */
  level: z.enum(['owner', 'writer']).default('owner'),
  /** What its API key may be used for. */
  scopes: z
    .array(z.string().regex(/^[a-z][a-z0-9:._-]{0,62}$/))
    .min(1)
    .max(20)
    .default(['read', 'write']),
  /** Who may read its dataset: e-mail addresses of Google accounts and, with `group:` before them, of groups. */
  readers: z
    .array(
      z
        .string()
        .max(260)
        .regex(/^(?:group:)?[^@\s:]+@[^@\s:]+$/, { error: 'must be an e-mail address, or group: and one' }),
    )
    .max(50)
    .default([]),
  /** The id was another tenant's, which was removed. */
  reuse: z.boolean().default(false),
  /** The manifest of an archive, whose content its schema gets. */
  restore: uri('/manifest.json').optional(),
});

/** Makes the platform's own dataset, and brings one that exists to what this version of Drover knows. */
const system = z.strictObject({
  scope: z.literal('system'),
  region: region.optional(),
  /** Makes tables anew, after copying them. */
  forceRecreate: z
    .strictObject({
      tables: z.union([z.literal('*'), z.array(z.string().min(1).max(1024)).min(1).max(100)]),
      /** `project.dataset`, so that it isn't done by mistake. */
      confirm: z.string().max(2048),
    })
    .optional(),
});

/** Archives a tenant and deletes all that it had. */
const remove = z.strictObject({
  scope: z.literal('remove'),
  tenant: tenantId,
  /** What `drover tenants show` tells: it means this tenant and no later one of the same id. */
  confirm: z.string().max(200),
  /** What becomes of the content of its database or schema. */
  archive: z.boolean().default(true),
  /** Archive what can be described, although the rest is lost. */
  allowIncomplete: z.boolean().default(false),
  /** What becomes of its dataset. */
  dataset: z.enum(['export', 'keep', 'delete']).default('export'),
  /** What becomes of its objects. */
  storage: z.enum(['archive', 'keep', 'delete']).default('archive'),
});

/** A whole tenant, the platform itself, or the end of a tenant. */
export const bootstrapTenantMessage = z
  .discriminatedUnion('scope', [tenantMessage, system, remove])
  .superRefine((message, context) => {
    if (message.scope !== 'tenant' || message.isolation !== 'schema' || message.target.database !== undefined)
      return;
    context.addIssue({
      code: 'custom',
      path: ['target', 'database'],
      message: 'is needed: the database that the tenant shares with others',
    });
  });

export type BootstrapTenantMessage = z.infer<typeof bootstrapTenantMessage>;
export type TenantMessage = Extract<BootstrapTenantMessage, { scope: 'tenant' }>;
export type SystemMessage = Extract<BootstrapTenantMessage, { scope: 'system' }>;
export type RemoveMessage = Extract<BootstrapTenantMessage, { scope: 'remove' }>;
