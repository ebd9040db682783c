import { config } from '../../shared/config.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import { access } from './access.ts';
import limits from './function.json' with { type: 'json' };
import { syncRepoMetadataMessage } from './message.ts';
import { adaptWebhook } from './webhook.ts';

export default defineOperation({
  name: 'sync-repo-metadata',
  timeoutSeconds: limits.timeoutSeconds,
  message: syncRepoMetadataMessage,
  adapt: (delivery) => adaptWebhook(delivery, config().DROVER_REPOSITORIES),
  access,
  run: async (message, operation) => (await import('./run.ts')).runSync(message, operation),
});
