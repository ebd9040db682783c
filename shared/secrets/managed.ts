import * as z from 'zod';
import type { SecretInfo } from '../gcp/secrets.ts';
import { OperationError } from '../operation/errors.ts';
import type { KeyOwner } from '../registry/api-keys/model.ts';

/** @see https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1#createsecretrequest */
export const secretId = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, {
  error: 'must be the id of a secret: 1 to 255 letters, digits, hyphens and underscores',
});

export const secretKinds = ['postgres', 'api-key', 'random'] as const;

export type SecretKind = (typeof secretKinds)[number];

/**
 * - `two-user`: two logins take turns, so that one always works
 * - `single-user`: one login, for applications that can't follow a user name
 */
export const strategies = ['two-user', 'single-user'] as const;

export type Strategy = (typeof strategies)[number];

/** How often a secret is rotated by itself. */
export const rotationPolicy = z.object({ everyDays: z.number(), jitterDays: z.number() });

export type RotationPolicy = z.infer<typeof rotationPolicy>;

const settings = {
  /** How long a replaced credential goes on working. */
  graceMinutes: z.number().int(),
  /** Null: only when asked for. */
  policy: rotationPolicy.nullable(),
};

const postgres = z.object({
  kind: z.literal('postgres'),
  strategy: z.enum(strategies),
  instance: z.string(),
  database: z.string(),
  /** Null for the database's own roles. */
  schema: z.string().nullable(),
  /** A level or the name of a custom role; null where the login keeps what it had when it was adopted. */
  role: z.string().nullable(),
  /** One or two, by the strategy. */
  logins: z.array(z.string()).min(1).max(2),
  /** A query that a new login must be able to run. */
  probe: z.string().nullable(),
  ...settings,
});

const apiKey = z.object({
  kind: z.literal('api-key'),
  prefix: z.string(),
  /** Whose key it is: then it is made by the tenant's id, encrypted, and registered. */
  tenant: z.object({ id: z.string(), incarnation: z.number().int(), scopes: z.array(z.string()) }).nullish(),
  ...settings,
});

const random = z.object({ kind: z.literal('random'), ...settings });

const managed = z.discriminatedUnion('kind', [postgres, apiKey, random]);

/** What Drover knows of a secret that it takes care of: kept with the secret, so that it survives the registry. */
export type ManagedSecret = z.infer<typeof managed>;

export type PostgresSecret = z.infer<typeof postgres>;

/** One whose value only its readers know. */
export type ValueSecret = Exclude<ManagedSecret, PostgresSecret>;

/** Whose API key a secret holds; undefined of one that is no tenant's. */
export function ownerOf(secret: ManagedSecret): KeyOwner | undefined {
  return secret.kind === 'api-key' ? (secret.tenant ?? undefined) : undefined;
}

/** Says whose a secret is, to people and in lists. */
export const managedLabel = { key: 'managed-by', value: 'drover' } as const;

export const annotation = {
  /** {@link ManagedSecret} as JSON. */
  managed: 'drover.managed',
  /** The operation that moved `current` to where it is. */
  operation: 'drover.operation',
} as const;

/** The version to be used, and the one that was before it. */
export const alias = { current: 'current', previous: 'previous' } as const;

export function isManaged({ labels }: Pick<SecretInfo, 'labels'>): boolean {
  return labels[managedLabel.key] === managedLabel.value;
}

/** The annotation that says what a secret is. */
export function formatManaged(secret: ManagedSecret): Record<string, string> {
  return { [annotation.managed]: JSON.stringify(secret) };
}

/**
 * What a secret says of itself.
 *
 * @throws OperationError `SECRET_NOT_MANAGED`, `SECRET_UNREADABLE`
 */
export function readManaged(secret: SecretInfo): ManagedSecret {
  if (!isManaged(secret)) {
    throw new OperationError(
      'SECRET_NOT_MANAGED',
      `The secret ${secret.id} is not Drover's: it has no label ${managedLabel.key}=${managedLabel.value}. Send the action adopt first.`,
      { details: { name: secret.id } },
    );
  }
  try {
    return managed.parse(JSON.parse(secret.annotations[annotation.managed] ?? ''));
  } catch {
    throw new OperationError(
      'SECRET_UNREADABLE',
      `The annotation ${annotation.managed} of the secret ${secret.id} is not what Drover wrote there. Remove it and the label ${managedLabel.key}, and send the action adopt.`,
      { details: { name: secret.id, place: `annotations.${annotation.managed}` } },
    );
  }
}
