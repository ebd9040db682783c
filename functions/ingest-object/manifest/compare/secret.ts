import { canonicalJson } from '../../../../shared/operation/canonical.ts';
import type { SecretRecord } from '../../../../shared/registry/secrets/model.ts';
import { type RotateSecretMessage, rotateSecretMessage } from '../../../rotate-secret/message.ts';
import { derivedOf } from '../derived.ts';
import type { WantedSecret } from '../wanted.ts';
import type { Where } from '../where.ts';
import type { Refusal } from './model.ts';

/** Of these the registry knows nothing; the secret itself says them, and a manifest's function has no rights to that. */
const unregistered = ['probe', 'prefix'] as const;

/**
 * What would change about a secret, in words; nothing where it is as wanted. What a manifest doesn't say of one that is there
 * stays as it is, and nothing here ever rotates one.
 *
 * @param former what the generation before said of it, where all of that was done
 */
export function compareSecret(
  wanted: WantedSecret,
  where: Where,
  record: SecretRecord | undefined,
  former: WantedSecret | undefined,
): string[] {
  const { secret } = wanted;
  const message = messageOf(wanted, where);
  if (record === undefined || record.current === null) return [`create the secret ${secret}`];
  const { last } = record;
  const failed = last?.code !== undefined && (last.action === 'create' || last.action === 'adopt');
  if (failed) return [`${secret}: the last change to it failed (${last.code})`];
  const asked = { ...fixedOf(message), graceMinutes: message.grace, policy: message.policy };
  const changes = Object.entries(asked).flatMap(([field, shall]) => {
    const is = record[field as keyof SecretRecord];
    if (shall === undefined || canonicalJson(is) === canonicalJson(shall)) return [];
    return [`${secret}: ${field} ${text(is)} → ${text(shall)}`];
  });
  const unknown = unregistered.filter(
    (field) => wanted.message[field] !== undefined && wanted.message[field] !== former?.message[field],
  );
  return [...changes, ...unknown.map((field) => `${secret}: ${field} as the manifest says`)];
}

/** What can't be changed of a secret that is there. */
function fixedOf({ kind, strategy, target, schema, level, customRole }: RotateSecretMessage) {
  return { kind, strategy, ...target, schema, role: level ?? customRole };
}

/** What stands against a secret: rotate-secret would refuse it for the same reason. */
export function refuseSecret(
  wanted: WantedSecret,
  where: Where,
  record: SecretRecord | undefined,
): Refusal[] {
  // What was never finished says of itself what the last message said.
  if (record === undefined || record.current === null) return [];
  const differing = Object.entries(fixedOf(messageOf(wanted, where))).find(
    ([field, shall]) =>
      shall !== undefined && canonicalJson(record[field as keyof SecretRecord]) !== canonicalJson(shall),
  );
  if (differing === undefined) return [];
  const [field, shall] = differing;
  const is = JSON.stringify(record[field as keyof SecretRecord] ?? null);
  const message = `The secret ${wanted.secret} is Drover's already, with ${field} ${is} and not ${JSON.stringify(shall)}. That can't be changed.`;
  return [{ code: 'SECRET_MISMATCH', message, isFinal: true }];
}

function messageOf(wanted: WantedSecret, where: Where): RotateSecretMessage {
  const { data } = rotateSecretMessage.safeParse(derivedOf(wanted, where).message);
  if (data === undefined) throw new Error(`${wanted.key} makes no message`);
  return data;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
