import { defineOperation } from '../../shared/operation/define.ts';
import limits from './function.json' with { type: 'json' };
import { ingestObjectMessage } from './message.ts';
import { adaptNotification } from './notification.ts';

export default defineOperation({
  name: 'ingest-object',
  timeoutSeconds: limits.timeoutSeconds,
  message: ingestObjectMessage,
  adapt: adaptNotification,
  // Which database it is about, the route says, or a tenant's record, or a manifest: each asks the policy itself, where
  // a refusal is kept with the object.
  access: () => undefined,
  run: async (message, operation) => (await import('./run.ts')).ingest(message, operation),
});
