import type { AccessRequest } from '../../shared/operation/policy.ts';
import { isInPredefined } from '../../shared/postgres/names.ts';
import type { RotateSecretMessage } from './message.ts';

/** What a message asks for. Whether it may have that where the secret's logins are is asked again once that is known. */
export function access(message: RotateSecretMessage): AccessRequest {
  const { secret, target, schema, level, customRole } = message;
  return {
    target,
    schema,
    // Whatever login the secret names is taken over; and a predefined role's rights are good in every database.
    reaches: message.action === 'adopt' || (level && isInPredefined(level)) ? 'instance' : undefined,
    secrets: [secret],
    levels: level ? [level] : customRole ? [`custom:${customRole}`] : [],
    principals: [],
    actions: actionsOf(message),
  };
}

/** What reaches beyond an ordinary rotation. */
export function actionsOf(message: RotateSecretMessage): string[] {
  const { action } = message;
  return [
    ...(action === 'create' || action === 'adopt' ? [action] : []),
    ...(['force', 'repair'] as const).filter((option) => message[option]),
    ...(message.probe === undefined ? [] : ['probe']),
  ];
}
