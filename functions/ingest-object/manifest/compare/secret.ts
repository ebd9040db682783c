import { canonicalJson } from '../../../../shared/operation/canonical.ts';
import type { SecretRecord } from '../../../../shared/registry/secrets/model.ts';
import { rotateSecretMessage } from '../../../rotate-secret/message.ts';
import { derivedOf } from '../derived.ts';
import type { WantedSecret } from '../wanted.ts';
import type { Where } from '../where.ts';

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
  const { data: message } = rotateSecretMessage.safeParse(derivedOf(wanted, where).message);
  if (message === undefined) throw new Error(`${wanted.key} makes no message`);
  if (record === undefined || record.current === null) return [`create the secret ${secret}`];
  const { last } = record;
  const failed = last?.code !== undefined && (last.action === 'create' || last.action === 'adopt');
  if (failed) return [`${secret}: the last change to it failed (${last.code})`];
  const { kind, strategy, target, schema, level, customRole, grace, policy } = message;
  const asked = {
    kind,
    strategy,
    ...target,
    schema,
    role: level ?? customRole,
    graceMinutes: grace,
    policy,
  };
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

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
