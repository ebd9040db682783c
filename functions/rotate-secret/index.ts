import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import type { AccessRequest } from '../../shared/operation/policy.ts';
import limits from './function.json' with { type: 'json' };
import { type RotateSecretMessage, rotateSecretMessage } from './message.ts';
import { adaptNotification } from './notification.ts';
import { recorded } from './recorded.ts';

export default defineOperation({
  name: 'rotate-secret',
  timeoutSeconds: limits.timeoutSeconds,
  message: rotateSecretMessage,
  adapt: adaptNotification,
  access,
  run: (message, operation) => recorded(message, operation, () => act(message, operation)),
});

async function act(message: RotateSecretMessage, operation: OperationContext): Promise<Outcome> {
  switch (message.action) {
    case 'create':
    case 'adopt':
      return (await import('./establish.ts')).establishSecret(message, operation);
    case 'rotate':
      return (await import('./rotate.ts')).rotateSecret(message, operation);
    case 'retire':
      return (await import('./retire.ts')).retireSecret(message, operation);
    case 'verify':
      return (await import('./verify.ts')).verifySecret(message, operation);
  }
}

/** Whether the secret's own target is allowed is asked once that is known. */
function access(message: RotateSecretMessage): AccessRequest {
  const { secret, target, action, level, customRole } = message;
  return {
    target,
    secrets: [secret],
    levels: level ? [level] : customRole ? [`custom:${customRole}`] : [],
    principals: [],
    actions: [
      ...(action === 'create' || action === 'adopt' ? [action] : []),
      ...(['force', 'repair'] as const).filter((option) => message[option]),
      ...(message.probe === undefined ? [] : ['probe']),
    ],
  };
}
