import type { SecretEvent, SecretRecord } from '../../shared/registry/secrets/model.ts';
import { graceEnd } from '../../shared/secrets/schedule.ts';

/** A secret without its history, as lists have it. */
export type SecretSummary = Omit<SecretRecord, 'history'>;

/**
 * - `rotating`: an operation is at it
 * - `failing`: operations failed since the last that didn't
 * - `empty`: it has no credential yet
 * - `overdue`: it should have been rotated
 * - `retiring`: the former credential still works
 */
export type SecretState = 'rotating' | 'failing' | 'empty' | 'overdue' | 'retiring' | 'ok';

/** How a secret stands, in one word: of several that fit, the one that asks for most attention. */
export function secretState(secret: SecretSummary, now: Date): SecretState {
  if (secret.open !== null) return 'rotating';
  if (isFailing(secret)) return 'failing';
  if (secret.current === null) return 'empty';
  if (isOverdue(secret, now)) return 'overdue';
  // Once it is out of use, what is due next is that it is destroyed.
  return secret.nextRetirement !== null && secret.retiredAt === null ? 'retiring' : 'ok';
}

export function isFailing({ failures }: Pick<SecretSummary, 'failures'>): boolean {
  return failures > 0;
}

/** Whatever else it is: one that is just being rotated or that fails may be overdue, too. */
export function isOverdue({ nextRotation }: Pick<SecretSummary, 'nextRotation'>, now: Date): boolean {
  return nextRotation !== null && nextRotation < now;
}

/** Until when the former credential works at least; undefined where there is none any more. */
export function graceOf({
  previous,
  rotatedAt,
  retiredAt,
  graceMinutes,
}: Pick<SecretSummary, 'previous' | 'rotatedAt' | 'retiredAt' | 'graceMinutes'>): Date | undefined {
  if (previous === null || rotatedAt === null || retiredAt !== null) return undefined;
  return graceEnd(rotatedAt, graceMinutes);
}

/** How long ago something was, in whole units of which there are at least two: `90 min`, `47 h`, `30 d`. */
export function ageText(since: Date, now: Date): string {
  const minutes = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 60_000));
  if (minutes < 2 * 60) return `${minutes} min`;
  if (minutes < 2 * 1440) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} d`;
}

/** A setting, as messages have it: `90m`, `36h`, `7d`. */
export function settingText(minutes: number): string {
  if (minutes % 60 !== 0) return `${minutes}m`;
  return minutes % 1440 === 0 ? `${minutes / 1440}d` : `${minutes / 60}h`;
}

/** `postgres two-user`, `api-key` */
export function kindText({ kind, strategy }: Pick<SecretSummary, 'kind' | 'strategy'>): string {
  return [kind, strategy].filter((part) => part !== null).join(' ');
}

/** `project:region:name/app.billing writer`: where its logins are and what they may do. */
export function whereText({
  instance,
  database,
  schema,
  role,
}: Pick<SecretSummary, 'instance' | 'database' | 'schema' | 'role'>): string {
  if (instance === null || database === null) return '-';
  const place = `${instance}/${database}${schema === null ? '' : `.${schema}`}`;
  return role === null ? place : `${place} ${role}`;
}

/** `rotate`, `rotate failed: LOGIN_IN_USE` */
export function eventText({ action, code }: Pick<SecretEvent, 'action' | 'code'>): string {
  return code === undefined ? action : `${action} failed: ${code}`;
}
