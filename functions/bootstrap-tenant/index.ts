import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { access } from './access.ts';
import limits from './function.json' with { type: 'json' };
import { type BootstrapTenantMessage, bootstrapTenantMessage } from './message.ts';

export default defineOperation({
  name: 'bootstrap-tenant',
  timeoutSeconds: limits.timeoutSeconds,
  message: bootstrapTenantMessage,
  access,
  run: act,
});

async function act(message: BootstrapTenantMessage, operation: OperationContext): Promise<Outcome> {
  switch (message.scope) {
    case 'tenant':
      return (await import('./tenant.ts')).bootstrapTenant(message, operation);
    case 'system':
      return (await import('./system.ts')).bootstrapSystem(message, operation);
    case 'remove':
      return (await import('./remove.ts')).removeTenant(message, operation);
  }
}
