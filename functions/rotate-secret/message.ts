import * as z from 'zod';
import { customRoleName } from '../../shared/postgres/custom-role.ts';
import { schemaLevels } from '../../shared/postgres/names.ts';
import { schemaName, target, text } from '../../shared/postgres/target.ts';
import { secretId, secretKinds, strategies } from '../../shared/secrets/managed.ts';

const minutesIn = { m: 1, h: 60, d: 1440 } as const;

/** `90m`, `24h`, `7d`, in minutes. */
const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,5}[mhd]$/, { error: 'must be a number of minutes, hours or days: 90m, 24h, 7d' })
  .transform((given) => Number.parseInt(given, 10) * minutesIn[given.slice(-1) as keyof typeof minutesIn])
  .refine((minutes) => minutes <= 365 * 1440, { error: 'must be at most 365d' });

const policy = z
  .strictObject({
    everyDays: z.number().int().min(1).max(3650),
    /** Rotations are spread over so many days before that. */
    jitterDays: z.number().min(0).max(365),
  })
  .refine(({ everyDays, jitterDays }) => jitterDays <= everyDays / 2, {
    path: ['jitterDays'],
    error: 'must be at most half of everyDays',
  });

/** Fields that only an action that makes a secret Drover's has use for. */
const founding = ['target', 'schema', 'level', 'customRole', 'prefix', 'twin'] as const;

/** A credential and who takes care of it: made, changed, retired, tried. */
export const rotateSecretMessage = z
  .strictObject({
    /** The secret's id in Secret Manager, in the project of Drover. */
    secret: secretId,
    /**
     * - `rotate`: another credential
     * - `create`: the secret, its logins, and the first credential
     * - `adopt`: the same with a secret that is there, and with the login that it names
     * - `retire`: what the last rotation replaced, once its time is over
     * - `verify`: whether every enabled version works
     */
    action: z.enum(['rotate', 'create', 'adopt', 'retire', 'verify']).default('rotate'),
    kind: z.enum(secretKinds).optional(),
    strategy: z.enum(strategies).optional(),
    target: target.optional(),
    /** Whose role the logins get. */
    schema: schemaName.optional(),
    level: z.enum([...schemaLevels, 'monitor']).optional(),
    customRole: customRoleName.optional(),
    /** What an API key begins with. */
    prefix: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9_]{0,60}[a-z0-9])?$/, { error: 'must be at most 62 of a-z, 0-9 and _' })
      .optional(),
    /** The name of the second login, when one is adopted. */
    twin: text(63).min(1).optional(),
    /** How long the former credential goes on working. */
    grace: duration.optional(),
    policy: policy.optional(),
    /** A query that a new login must be able to run before it is published. */
    probe: text(1000).min(1).optional(),
    /** Also within the grace period, and while the login that would be changed is in use: that breaks who still uses it. */
    force: z.boolean().default(false),
    /** Asked for by a schedule: where nothing is due it succeeds without doing anything. */
    scheduled: z.boolean().default(false),
    /** Give logins the passwords that the enabled versions have, and disable what can't be mended. */
    repair: z.boolean().default(false),
  })
  .superRefine((message, context) => {
    const problem = (path: string, text: string) =>
      context.addIssue({ code: 'custom', path: [path], message: text });
    const { action, kind, target: where, schema, level, customRole } = message;
    const founds = action === 'create' || action === 'adopt';
    if (action === 'create' && kind === undefined) problem('kind', 'is needed to create a secret');
    if (message.force && action !== 'rotate') problem('force', `has no place in action ${action}`);
    if (message.repair && action !== 'verify') problem('repair', `has no place in action ${action}`);
    if (message.twin !== undefined && action !== 'adopt') problem('twin', 'is for the action adopt');
    for (const field of founding) {
      if (!founds && message[field] !== undefined) problem(field, `has no place in action ${action}`);
    }
    const changes = founds || action === 'rotate';
    for (const field of ['grace', 'policy', 'probe'] as const) {
      if (!changes && message[field] !== undefined) problem(field, `has no place in action ${action}`);
    }
    if (!founds) return;
    if (kind === 'postgres') {
      if (where === undefined) problem('target', 'is needed for a database credential');
      const roles = [level, customRole].filter((role) => role !== undefined).length;
      if (roles > 1) problem('customRole', 'is one role too many: there is a level');
      if (roles === 0 && action === 'create') problem('level', 'is needed: what the logins may do');
      if (schema === undefined && level !== undefined && level !== 'monitor')
        problem('level', 'is a schema’s: say which schema');
      if (schema === undefined && customRole !== undefined)
        problem('customRole', 'is a schema’s: say which schema');
      if (schema !== undefined && level === 'monitor')
        problem('level', 'is the database’s: leave the schema out');
      if (message.prefix !== undefined) problem('prefix', 'is for API keys');
    } else if (kind !== undefined) {
      for (const field of ['target', 'schema', 'level', 'customRole', 'strategy', 'probe', 'twin'] as const) {
        if (message[field] !== undefined) problem(field, `has no place in a secret of kind ${kind}`);
      }
      if (message.prefix !== undefined && kind !== 'api-key') problem('prefix', 'is for API keys');
    }
  });

export type RotateSecretMessage = z.infer<typeof rotateSecretMessage>;
