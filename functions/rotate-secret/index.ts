import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { access } from './access.ts';
import limits from './function.json' with { type: 'json' };
import { type RotateSecretMessage, rotateSecretMessage } from './message.ts';
import { adaptNotification } from './notification.ts';
import { recorded } from './recorded.ts';

export default defineOperation({
  name: 'rotate-secret',
  timeoutSeconds: limits.timeoutSeconds,
  message: rotateSecretMessage,
  adapt: adaptNotification,
  forTenants: true,
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
