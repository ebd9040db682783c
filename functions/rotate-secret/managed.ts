import { config } from '../../shared/config.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import { authorize } from '../../shared/operation/policy.ts';
import { schemaLevels } from '../../shared/postgres/names.ts';
import { nameProblem } from '../../shared/postgres/principals.ts';
import { defaultSettings } from '../../shared/secrets/defaults.ts';
import { loginsFor } from '../../shared/secrets/login-names.ts';
import type { ManagedSecret, PostgresSecret, Strategy } from '../../shared/secrets/managed.ts';
import { actionsOf } from './access.ts';
import type { RotateSecretMessage } from './message.ts';

/** What a secret is to be, as the message that makes it Drover's says. */
export function managedFrom(message: RotateSecretMessage, adopted?: string): ManagedSecret {
  const defaults = defaultSettings();
  const settings = {
    graceMinutes: message.grace ?? defaults.graceMinutes,
    policy: message.policy ?? defaults.policy,
  };
  const { kind, secret, target, strategy = 'two-user' } = message;
  if (kind === 'random') return { kind, ...settings };
  if (kind === 'api-key') return { kind, prefix: message.prefix ?? 'key', ...settings };
  if (target === undefined) throw new Error('a database’s secret without a target was accepted');
  return {
    kind: 'postgres',
    strategy,
    ...target,
    schema: message.schema ?? null,
    role: message.level ?? message.customRole ?? null,
    logins: adopted === undefined ? loginsFor(secret, strategy) : adoptedLogins(message, adopted, strategy),
    probe: message.probe ?? null,
    ...settings,
  };
}

/** The settings of a secret, with those that a message gives. */
export function withSettings<M extends ManagedSecret>(managed: M, message: RotateSecretMessage): M {
  return {
    ...managed,
    ...(message.grace === undefined ? {} : { graceMinutes: message.grace }),
    ...(message.policy === undefined ? {} : { policy: message.policy }),
    ...(message.probe === undefined || managed.kind !== 'postgres' ? {} : { probe: message.probe }),
  };
}

function adoptedLogins({ twin }: RotateSecretMessage, first: string, strategy: Strategy): string[] {
  if (strategy === 'single-user') return [first];
  const second = twin ?? `${first.replace(/_a$/, '')}_b`;
  const problem = second === first ? 'is the first login' : nameProblem('login', second);
  if (problem === undefined) return [first, second];
  throw new OperationError(
    'INVALID_MESSAGE',
    `The second login would be called ${second}, which ${problem}. Give it a name in the field twin.`,
    { details: { problems: [{ path: 'data.twin', message: problem }] } },
  );
}

/** @throws OperationError `NOT_ALLOWED`: the policy doesn't let this be done to the secret's logins where they are */
export function authorizeManaged(
  message: RotateSecretMessage,
  managed: ManagedSecret,
  levels: readonly string[] = [],
): void {
  if (managed.kind !== 'postgres') return;
  const { instance, database } = managed;
  const { secret: id } = message;
  const request = {
    target: { instance, database },
    secrets: [id],
    levels,
    principals: [],
    actions: actionsOf(message),
  };
  const refused = authorize('rotate-secret', request, config().DROVER_POLICY.rules);
  if (refused) throw refused;
}

/** The role that a secret's logins get, in the policy's terms. */
export function levelsOf({ role }: PostgresSecret): string[] {
  if (role === null) return [];
  return [[...schemaLevels, 'monitor'].includes(role) ? role : `custom:${role}`];
}

/** Whether the policy has an action for this secret. */
export function mayFor(action: string, id: string, { instance, database }: PostgresSecret): boolean {
  const request = {
    target: { instance, database },
    secrets: [id],
    levels: [],
    principals: [],
    actions: [action],
  };
  return authorize('rotate-secret', request, config().DROVER_POLICY.rules) === undefined;
}

/** @throws OperationError `SECRET_MISMATCH` where a message says something else of a secret than is so */
export function refuseMismatch(
  id: string,
  managed: ManagedSecret,
  asked: Partial<Record<string, unknown>>,
): void {
  const is = managed as unknown as Record<string, unknown>;
  const differing = Object.entries(asked).find(
    ([field, value]) => value !== undefined && JSON.stringify(is[field]) !== JSON.stringify(value),
  );
  if (differing === undefined) return;
  const [field, value] = differing;
  throw new OperationError(
    'SECRET_MISMATCH',
    `The secret ${id} is Drover's already, with ${field} ${JSON.stringify(is[field] ?? null)} and not ${JSON.stringify(value)}. That can't be changed.`,
    { details: { name: id, place: `data.${field}` } },
  );
}
